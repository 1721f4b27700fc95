import type { GenericConfig } from '../../../config/poll/index.ts';
import { GatewayError } from '../../../errors.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import { compilePointer, scalarOf } from '../json.ts';

type CursorConfig = NonNullable<GenericConfig['cursor']>;

/** Reads a session's name or a cursor out of an answer; undefined if it is not there. */
export type Source = (answer: HttpAnswer, document: () => unknown) => string | undefined;

/**
 * Compiles `json:/pointer` or `header:NAME`. The source throws UPSTREAM_INVALID for a value that could not be sent
 * back: longer than 4096 characters, or not printable ASCII.
 */
export function compileSource({ from, name }: CursorConfig['from']): Source {
  const find = compilePointer(name);
  const field = name.toLowerCase();
  return function read({ headers }, document) {
    const value = from === 'json' ? find(document()) : headers[field];
    const text = scalarOf(value);
    // The value goes into a header as it is: no line may be added by it (RFC 9110 §5.5).
    if (text === undefined || /^[\x20-\x7e]{0,4096}$/.test(text)) return text;
    throw new GatewayError('UPSTREAM_INVALID', { detail: `${from}:${name} holds what cannot be sent back` });
  };
}

/** Throws UPSTREAM_INVALID for a value that had to be there and is not. */
export function required(value: string | undefined, what: string): string {
  if (value !== undefined) return value;
  throw new GatewayError('UPSTREAM_INVALID', { detail: `an answer holds no ${what}` });
}

/** Puts the cursor where the service expects it; without a destination the path holds it already. */
export function withCursor(request: HttpRequest, cursor: string, send: CursorConfig['send']): HttpRequest {
  if (send === undefined) return request;
  if (send.to === 'header')
    return { ...request, headers: { ...request.headers, [send.name.toLowerCase()]: cursor } };
  return { ...request, path: withQuery(request.path, `${send.name}=${encodeURIComponent(cursor)}`) };
}
