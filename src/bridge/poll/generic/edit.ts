import type { EditConfig } from '../../../config/poll/requests.ts';
import { GatewayError } from '../../../errors.ts';
import { changed } from '../json.ts';
import { compileText, type Template } from '../template.ts';
import { parsedJson, type Reader, textIn } from '../values.ts';

/**
 * Compiles changes to messages that are JSON; what they do not name stays as it is, numbers to the last digit. The template
 * throws UNSUPPORTED_DATA for a message that is not JSON, or has no place for what is to be set.
 */
export function compileEdit({ set, remove }: EditConfig): Template {
  const values = Object.entries(set).map(([pointer, value]) => [pointer, compileValue(value)] as const);

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

/** Compiles a value whose texts are templates, at any depth. It is made anew each time, for others are put into it. */
function compileValue(value: unknown): Reader {
  if (typeof value === 'string') return compileText(value);
  if (typeof value !== 'object' || value === null) return () => value;
  if (Array.isArray(value)) {
    const items = value.map(compileValue);
    return (scope) => items.map((item) => item(scope));
  }
  const members = Object.entries(value).map(([name, member]) => [name, compileValue(member)] as const);
  return (scope) => Object.fromEntries(members.map(([name, member]) => [name, member(scope)]));
}
