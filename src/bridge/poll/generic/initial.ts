import { piecesOf } from '../../../config/placeholders.ts';
import { GatewayError } from '../../../errors.ts';
import { compileText } from '../template.ts';
import type { Scope } from '../values.ts';
import { isSendable } from './source.ts';

/** Where a cursor begins. */
export interface Initial {
  /** The parameters of the client's query that say it. */
  readonly parameters: readonly string[];
  /** Undefined where the first poll has none. Throws BAD_REQUEST for what could not be sent. */
  read(scope: Scope): string | undefined;
}

/** Compiles `initial`, a text with placeholders such as `{query.since|0}`. */
export function compileInitial(template: string | undefined): Initial {
  if (template === undefined) return { parameters: [], read: () => undefined };
  const placeholders = piecesOf(template).flatMap((piece) => (typeof piece === 'string' ? [] : piece));
  const render = compileText(template);
  return {
    parameters: placeholders.flatMap(({ name, of }) => (name === 'query' && of !== undefined ? of : [])),
    read(scope) {
      const text = render(scope);
      if (!isSendable(text))
        throw new GatewayError('BAD_REQUEST', { detail: 'the query holds no cursor that can be sent' });
      return text === '' && placeholders.length > 0 ? undefined : text;
    },
  };
}
