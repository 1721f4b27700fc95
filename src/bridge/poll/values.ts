import { claimReader } from '../../admission/claims.ts';
import type { Grant } from '../../admission/grant.ts';
import type { Placeholder } from '../../config/placeholders.ts';
import { GatewayError } from '../../errors.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Ending } from '../contract.ts';
import { compilePointer, parseJson } from './json.ts';
import type { Message } from './profile.ts';

/** What of the upgrade placeholders stand for. */
export interface KnownRequest extends Pick<AdmittedRequest, 'connectionId' | 'captures' | 'query'> {
  readonly grant: Pick<Grant, 'claims'>;
}

/** What is known where a template is filled. What is not known has no value. */
export interface Scope {
  readonly request: KnownRequest;
  /** The session, as the service named it. */
  readonly session?: string | undefined;
  readonly cursor?: string | undefined;
  /** Milliseconds a poll may be held. */
  readonly holdMs?: number | undefined;
  /** The number of the last message of the session, from 1. */
  readonly seq?: number | undefined;
  readonly message?: Message | undefined;
  /** An item of an answer, as JSON. */
  readonly item?: unknown;
  /** What is said of several of them, with commas between. */
  readonly items?: string | undefined;
  /** How the session ended. */
  readonly ending?: Pick<Ending, 'code' | 'reason'> | undefined;
}

/** Undefined where there is no value. */
export type Reader = (scope: Scope) => unknown;

const READERS: Readonly<Record<string, Reader>> = {
  connection: ({ request }) => request.connectionId,
  session: ({ session }) => session,
  cursor: ({ cursor }) => cursor,
  hold: ({ holdMs }) => holdMs && Math.round(holdMs / 1000),
  hold_ms: ({ holdMs }) => holdMs,
  seq: ({ seq }) => seq,
  query: ({ request }) => request.query,
  message: ({ message }) => message && textIn(message),
  code: ({ ending }) => ending?.code,
  reason: ({ ending }) => ending?.reason,
};

/** Placeholders that stand for a part of something. */
const PART_READERS: Readonly<Record<string, (of: string) => Reader>> = {
  query: (of) => (scope) => parameter(scope, of),
  item(of) {
    const find = compilePointer(of);
    return ({ item }) => find(item);
  },
  claims(of) {
    const read = claimReader(of);
    return ({ request }) => read(request.grant.claims);
  },
};

/**
 * Compiles what a placeholder stands for. `{message}` throws UNSUPPORTED_DATA for a message that is not text.
 * Segments of the client's path come decoded, where they can be.
 */
export function compileReader({ name, of, fallback }: Placeholder): Reader {
  const read = of === undefined ? ownReader(name) : (own(PART_READERS, name)?.(of) ?? (() => undefined));
  return fallback === undefined ? read : (scope) => read(scope) ?? fallback;
}

function ownReader(name: string): Reader {
  const read = own(READERS, name);
  return function readCaptureOrValue(scope) {
    const captured = capturedAs(name, scope);
    return captured === undefined ? read?.(scope) : decoded(captured);
  };
}

/** The segment of the client's path that its route has captured under a name, as sent. */
export function capturedAs(name: string, { request: { captures } }: Scope): string | undefined {
  return own(captures, name);
}

/** The text of a message, which is JSON. Throws UNSUPPORTED_DATA if it is not. */
export function jsonIn(message: Message): string {
  const text = textIn(message);
  parsedJson(text);
  return text;
}

/** A message that is JSON, with its numbers as they are written. Throws UNSUPPORTED_DATA if it is not. */
export function parsedJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new GatewayError('UNSUPPORTED_DATA', { cause, detail: 'a message is not JSON' });
  }
}

/** Throws UNSUPPORTED_DATA for a binary message. */
export function textIn({ data, binary }: Message): string {
  if (!binary) return data.toString();
  throw new GatewayError('UNSUPPORTED_DATA', { detail: 'a binary message, where `body` takes text' });
}

function parameter({ request: { query } }: Scope, name: string): string | undefined {
  return new URLSearchParams(query).get(name) ?? undefined;
}

/** A segment whose escapes are not UTF-8 stays as it was sent. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function own<T>(holder: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(holder, name) ? holder[name] : undefined;
}
