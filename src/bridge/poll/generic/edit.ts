import type { EditConfig } from '../../../config/poll/requests.ts';
import { GatewayError } from '../../../errors.ts';
import { changed } from '../json.ts';
import { compileText, type Template } from '../template.ts';
import { parsedJson, textIn } from '../values.ts';

/**
 * Compiles changes to messages that are JSON; what they do not name stays as it is, numbers to the last digit. The template
 * throws UNSUPPORTED_DATA for a message that is not JSON, or has no place for what is to be set.
 */
export function compileEdit({ set, remove }: EditConfig): Template {
  const values = Object.entries(set).map(([pointer, value]) => {
    const render = typeof value === 'string' ? compileText(value) : () => structuredClone(value);
    return [pointer, render] as const;
  });

  return function edited(scope) {
    const message = scope.message ? parsedJson(textIn(scope.message)) : {};
    try {
      const reduced = remove.reduce((document, pointer) => changed(document, pointer, undefined), message);
      const whole = values.reduce(
        (document, [pointer, render]) => changed(document, pointer, render(scope)),
        reduced,
      );
      return JSON.stringify(whole);
    } catch (cause) {
      throw new GatewayError('UNSUPPORTED_DATA', {
        cause,
        detail: 'a message cannot be changed as `body` says',
      });
    }
  };
}
