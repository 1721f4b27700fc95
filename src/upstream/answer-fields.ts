import type { UpstreamConfig } from '../config/schema.ts';
import { cgiSpelling, headerClass, nominatedRawFields } from '../http/header-classes.ts';
import type { GatewayRequest, HeaderField } from '../http/request.ts';
import type { Concealment } from './concealment.ts';
import { forwardedPrefix } from './forward-fields.ts';
import { mapCookie, mapLocation, type Places } from './places.ts';
import type { Target } from './target.ts';

/** Which fields of a service's answer the client gets to see: of a plain answer, a refused handshake and a 101. */

/** What of the fields of an answer with `status` goes on; both alternate names and values. */
export type AnswerFields = (raw: readonly string[], status: number) => string[];

/** What an answer's fields depend on, besides the route. */
export interface Asked {
  readonly request: GatewayRequest;
  readonly target: Target;
  /** The Host field it was asked with. */
  readonly host: string;
  /**
   * `plain`: its body goes on as it is framed; `trailers`: and so do the fields behind it; `handshake`: it answers one,
   * and its body, if any, is framed anew.
   */
  readonly answer: 'plain' | 'trailers' | 'handshake';
}

interface Changes {
  readonly set: readonly string[];
  /** Names in lower case and CGI spelling: those that are set, and those that are removed. */
  readonly dropped: ReadonlySet<string>;
}

/** Compiles what of a route's answers goes to the client: nothing of what `concealment` hides. */
export function compileAnswerFields(
  upstream: UpstreamConfig,
  concealment?: Concealment,
): (asked: Asked) => AnswerFields {
  const { set = {}, remove = [] } = upstream.answerHeaders ?? {};
  const changes = {
    set: Object.entries(set).flat(),
    dropped: new Set([...Object.keys(set), ...remove].map(cgiSpelling)),
  };
  return function answerFieldsFor(asked) {
    const places = placesOf(asked, upstream);
    const read: AnswerFields = (raw, status) =>
      readAnswerFields({ raw, status, answer: asked.answer }, changes, places);
    return concealment === undefined ? read : (raw, status) => concealment.fields(read(raw, status));
  };
}

/** What of an answer is end-to-end, with no route to say more. */
export function endToEndFields(answered: Answered): string[] {
  return readAnswerFields(answered, NO_CHANGES, undefined);
}

/** The head of an answer: its fields alternate names and values. */
export interface Answered extends Pick<Asked, 'answer'> {
  readonly raw: readonly string[];
  readonly status: number;
}

const NO_CHANGES: Changes = { set: [], dropped: new Set() };

/**
 * A proxy forwards what it has no reason to drop (RFC 9110 §7.6.1), Set-Cookie, Date and Server among it. Of the fields of
 * one connection passes the Upgrade of a 426 alone, which says nothing without it (RFC 9110 §15.5.22): who sends it names
 * it in Connection.
 */
function readAnswerFields(
  { raw, status, answer }: Answered,
  { set, dropped }: Changes,
  places: Places | undefined,
): string[] {
  const nominated = nominatedRawFields(raw);
  const fields: string[] = [];
  let length: number | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    const key = name.toLowerCase();
    const known = cgiSpelling(key);
    const isWanted = status === 426 && key === 'upgrade';
    if (!isWanted && (dropped.has(known) || nominated.has(known))) continue;
    if (key === 'content-length') length = at;
    else if (isWanted || isOwn(key))
      fields.push(name, places === undefined ? value : mapField(key, value, places));
  }
  for (const text of set) fields.push(text);
  if (answer === 'trailers' && hasBody(status)) addTrailer(fields, raw);
  // Comes last: behind a length Node makes bytes of a Content-Disposition, and then takes them for malformed.
  if (length !== undefined && answer !== 'handshake' && mayHaveLength(status))
    fields.push(raw[length] as string, raw[length + 1] as string);
  return fields;
}

/** The service may say of anybody else what it likes; what is said of its connection ends here. */
function isOwn(key: string): boolean {
  const kind = headerClass(key);
  return kind === undefined || kind === 'forwarding' || kind === 'identity';
}

/** An answer with such a status never has one, whatever its fields say (RFC 9112 §6.3). */
function hasBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

/** That of a 304 says how long another answer would be (RFC 9110 §8.6). */
function mayHaveLength(status: number): boolean {
  return status === 304 || hasBody(status);
}

/** Trailers come behind a body in chunks only (RFC 9112 §7.1.2). */
function addTrailer(fields: string[], raw: readonly string[]): void {
  let isChunked = false;
  const trailer: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    const key = name.toLowerCase();
    if (key === 'transfer-encoding') isChunked = true;
    if (key === 'trailer') trailer.push(name, raw[at + 1] as string);
  }
  if (isChunked) fields.push(...trailer);
}

function mapField(key: string, value: string, places: Places): string {
  if (key === 'set-cookie') return mapCookie(value, places);
  return key === 'location' || key === 'content-location' ? mapLocation(value, places) : value;
}

/** Undefined where both sides call everything the same. */
function placesOf(
  { request, target, host }: Asked,
  { stripPrefix = '' }: UpstreamConfig,
): Places | undefined {
  const base = target.base?.pathname.replace(/\/$/, '') ?? '';
  // A WebSocket target beside http gets the whole path.
  const prefix = target.base === undefined ? '' : stripPrefix;
  const isRenamed = host !== request.authority;
  if (!isRenamed && base === '' && prefix === '') return undefined;
  const clientScheme = request.secure ? 'https' : 'http';
  return {
    host,
    scheme: target.secure ? 'https' : 'http',
    client: isRenamed ? `${clientScheme}://${request.clientAuthority}` : undefined,
    base,
    prefix,
    fullPrefix: forwardedPrefix(request) + prefix,
  };
}

/** Node's flat list as pairs. */
export function pairsOf(raw: readonly string[]): HeaderField[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] as string,
    raw[2 * index + 1] as string,
  ]);
}
