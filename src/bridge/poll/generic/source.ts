import type { IncomingHttpHeaders } from 'node:http';
import type { HttpAnswer } from '../../../upstream/client.ts';
import { compilePointer, scalarOf } from '../json.ts';
import { invalid } from './invalid.ts';

/** Reads a session's name or a cursor out of an answer; undefined if it is not there. */
export type Source = (answer: Pick<HttpAnswer, 'headers'>, document: () => unknown) => string | undefined;

export interface SourceConfig {
  readonly from: 'json' | 'header';
  readonly name: string;
}

/** Compiles `json:/pointer` or `header:NAME`. The source throws UPSTREAM_INVALID for a value that could not be sent back. */
export function compileSource({ from, name }: SourceConfig): Source {
  const find = compilePointer(name);
  const field = name.toLowerCase();
  return function read({ headers }: { headers: IncomingHttpHeaders }, document) {
    const value = from === 'json' ? find(document()) : headers[field];
    return sendable(scalarOf(value), placeName({ from, name }));
  };
}

/**
 * The text, if it can go into a header as it is: no line may be added by it (RFC 9110 §5.5). Throws UPSTREAM_INVALID for
 * one longer than 4096 characters, or not printable ASCII.
 */
export function sendable(text: string | undefined, place: string): string | undefined {
  if (text === undefined || isSendable(text)) return text;
  throw invalid(`${place} holds what cannot be sent back`);
}

export function isSendable(text: string): boolean {
  return /^[\x20-\x7e]{0,4096}$/.test(text);
}

/** Throws UPSTREAM_INVALID for a value that had to be there and is not. */
export function required(value: string | undefined, what: string, place?: SourceConfig): string {
  if (value !== undefined) return value;
  throw invalid(`an answer holds no ${what}${place === undefined ? '' : ` at ${placeName(place)}`}`);
}

/** As it is written in the configuration. */
export function placeName({ from, name }: { readonly from: string; readonly name: string }): string {
  return `${from}:${name}`;
}
