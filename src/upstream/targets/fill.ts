import { isIPv6 } from 'node:net';
import { type Claims, claimReader } from '../../admission/claims.ts';
import { type TargetField, targetFields, targetPieces } from '../../config/tcp/template.ts';
import { GatewayError } from '../../errors.ts';
import type { AdmittedRequest } from '../forward.ts';

/** Fills a template of the configuration with what one client has said, or what is known of it. */

type Request = Pick<AdmittedRequest, 'captures' | 'query' | 'host' | 'grant'>;

/** What is asked for, in the client's words. Throws TARGET_MALFORMED, or TARGET_REFUSED where a claim is missing. */
export type FillTarget = (request: Request) => string;

/** Compiles a template. `malformed` is what a client is told that has not said, or not said right, what it had to. */
export function compileFill(template: string, malformed: (detail: string) => GatewayError): FillTarget {
  const pieces = targetPieces(template).map((piece, at, all): FillTarget => {
    if (typeof piece === 'string') return () => piece;
    const read = readerOf(piece, malformed);
    return isBeforePort(at, all) ? (request) => bracketed(read(request)) : read;
  });
  return (request) => pieces.map((read) => read(request)).join('');
}

/** Whether a placeholder is the host of `host:port`, and all of it. */
function isBeforePort(at: number, pieces: ReturnType<typeof targetPieces>): boolean {
  const next = pieces[at + 1];
  return at === 0 && typeof next === 'string' && next.startsWith(':');
}

/** Templates of RFC 6570 are filled with an address as it stands (RFC 9298 §2); before a port it needs brackets. */
function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

function readerOf({ from, name }: TargetField, malformed: (detail: string) => GatewayError): FillTarget {
  if (from === 'host') return ({ host }) => host.replace(/\..*$/, '');
  if (from === 'claims') return claimText(name);
  return from === 'path' ? captured : parameter;

  /** It is unescaped here, once: whatever is escaped twice keeps its second escape, which is no part of a name. */
  function captured({ captures }: Request): string {
    try {
      return decodeURIComponent(captures[name] ?? '');
    } catch {
      throw malformed(`what the path has for {${name}} is not UTF-8`);
    }
  }

  function parameter({ query }: Request): string {
    const values = new URLSearchParams(query).getAll(name);
    if (values.length > 1) throw malformed(`there is more than one ?${name}=`);
    if (!values[0]) throw malformed(`there is no ?${name}=`);
    return values[0];
  }
}

/** A text, or a whole number, as ports are. */
function claimText(name: string): FillTarget {
  const read: (claims: Claims) => unknown = claimReader(name);
  return function claimed({ grant }) {
    const value = read(grant.claims);
    if (typeof value === 'string' && value !== '') return value;
    if (Number.isSafeInteger(value)) return String(value);
    throw new GatewayError('TARGET_REFUSED', { detail: `the client has no claim ${name} that is a text` });
  };
}

/** The claims that name a target: a client that proves itself anew must have the same. */
export function namingClaims(template: string): string[] {
  return targetFields(template).flatMap(({ from, name }) => (from === 'claims' ? [name] : []));
}

/** What clients are told that name no target, or none that could be one: what is expected. */
export function malformedTarget(template: string, isTable: boolean): (detail: string) => GatewayError {
  const sentence = sentenceFor(template, isTable);
  return (detail) => new GatewayError('TARGET_MALFORMED', { detail, sentence });
}

/** At most 123 bytes (RFC 6455 §5.5); the table's own where that is all there is to say. */
function sentenceFor(template: string, isTable: boolean): string | undefined {
  const fields = targetFields(template);
  const parameters = fields.flatMap(({ from, name }) => (from === 'query' ? [name] : []));
  const value = parameters.length === 1 && fields.length === 1 && !isTable ? 'host:port' : '';
  const wanted = parameters.map((name) => `?${name}=${value}`).join(' and ');
  const sentence = `The target is missing or malformed: ${wanted} is expected.`;
  return wanted === '' || Buffer.byteLength(sentence) > 123 ? undefined : sentence;
}
