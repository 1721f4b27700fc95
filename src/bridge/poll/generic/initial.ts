import { QUERY_PLACEHOLDER } from '../../../config/poll/cursor.ts';
import { GatewayError } from '../../../errors.ts';
import { isSendable } from './source.ts';

/** Where a cursor begins. */
export interface Initial {
  /** The parameters of the client's query that say it. */
  readonly parameters: readonly string[];
  /** Undefined where the first poll has none. Throws BAD_REQUEST for a parameter that could not be sent. */
  read(query: string | undefined): string | undefined;
}

/** Compiles `initial`, a text that may hold `{query.NAME}` or `{query.NAME|default}`. */
export function compileInitial(template: string | undefined): Initial {
  const pieces = template?.split(/[{}]/) ?? [];
  const placeholders = pieces.flatMap((piece, index) =>
    index % 2 === 1 ? [QUERY_PLACEHOLDER.exec(piece)] : [],
  );
  return {
    parameters: placeholders.map((match) => match?.[1] ?? ''),
    read(query) {
      if (placeholders.length === 0) return template;
      const values = new URLSearchParams(query);
      const text = pieces.map((piece, index) => (index % 2 === 1 ? filled(piece, values) : piece)).join('');
      if (!isSendable(text))
        throw new GatewayError('BAD_REQUEST', { detail: 'the query holds no cursor that can be sent' });
      return text === '' ? undefined : text;
    },
  };
}

function filled(placeholder: string, values: URLSearchParams): string {
  const [, name = '', fallback = ''] = QUERY_PLACEHOLDER.exec(placeholder) ?? [];
  return values.get(name) ?? fallback;
}
