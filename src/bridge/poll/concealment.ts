import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { HttpAnswer } from '../../upstream/client.ts';
import { Concealment } from '../../upstream/concealment.ts';
import type { ServiceEnd } from './profile.ts';

/**
 * Keeps the secrets of a route out of what its service says besides messages: out of its refusals, the fields of the 101 and
 * the reasons of its ends. They are the credentials that the gateway lends, and the headers that the configuration itself sets.
 */
export type SessionConcealment = Pick<Concealment, 'isIn' | 'body' | 'fields'>;

/** Headers whose values are to be known to the service alone. */
const SECRET_NAME = /authorization|cookie|token|secret|signature|key\b/i;

/** `lent` is that of the route's credentials. */
export function concealmentOf(route: RouteConfig, lent?: Concealment): SessionConcealment {
  const own = new Concealment([]);
  own.hide(secretValues(route));
  return lent === undefined ? own : both(own, lent);
}

function both(one: Concealment, other: Concealment): SessionConcealment {
  return {
    isIn: (text) => one.isIn(text) || other.isIn(text),
    body: (bytes, headers) => other.body(one.body(bytes, headers), headers),
    fields: (raw) => other.fields(one.fields(raw)),
  };
}

/** Whether a whole text tells a secret, or ends within one. */
export function tellsSecret(text: string | Buffer, concealment: SessionConcealment): boolean {
  const bytes = Buffer.from(text);
  return concealment.body(bytes, {}).length < bytes.length;
}

/** A refusal as the client may have it: in place of a body that tells a secret stands `instead`. */
export function concealRefusal(
  answer: HttpAnswer,
  instead: string,
  concealment: SessionConcealment | undefined,
): HttpAnswer {
  if (concealment === undefined || !tellsSecret(answer.body, concealment)) return answer;
  return { ...answer, headers: { 'content-type': 'text/plain' }, body: Buffer.from(instead) };
}

/** The end of a session as the client may have it: without a reason that tells a secret. */
export function concealEnd(end: ServiceEnd, concealment: SessionConcealment | undefined): ServiceEnd {
  if (concealment === undefined || !tellsSecret(end.reason, concealment)) return end;
  return { ...end, reason: '' };
}

/** Of the headers that the configuration sets; of `Bearer x` also what stands behind the scheme. */
function secretValues({ upstream }: RouteConfig): string[] {
  const config: PollConfig | undefined = sessionConfigOf(upstream);
  const requests = Object.values(config ?? {}).flatMap((value) => headersIn(value));
  const all = [...Object.entries(upstream.headers?.set ?? {}), ...requests];
  return all.flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value, ...value.split(/\s+/)] : []));
}

/** The headers of a request, or those of all. */
function headersIn(part: unknown): [string, string][] {
  if (typeof part !== 'object' || part === null) return [];
  const { headers, add } = part as { headers?: object; add?: object };
  return Object.entries({ ...headers, ...add }).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
}
