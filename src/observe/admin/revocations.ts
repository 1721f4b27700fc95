import { isToken } from '../../admission/revocation-list.ts';
import { REVOKED_BY, type RevokedBy } from '../../admission/revocations.ts';
import { parseDuration } from '../../config/units.ts';
import { GatewayError } from '../../errors.ts';
import { badRequest } from '../../http/fields.ts';
import { type Answer, type Answered, DONE, json, type Page, type Question } from './page.ts';
import { readParameters } from './parameters.ts';

/** What is to be revoked, or not any more. */
export interface RevocationOrder {
  readonly by: RevokedBy | 'session';
  readonly value: string;
  /** An issuer's name in the configuration, or its `iss`; absent: whoever issued the token. */
  readonly issuer?: string | undefined;
  /** Milliseconds until it is forgotten; absent: a day. */
  readonly forMs?: number | undefined;
}

/** One that counts, as an operator sees it. */
export interface RevocationView {
  readonly by: RevokedBy;
  readonly value: string;
  readonly issuer?: string | undefined;
  /** When it was made, and when it is forgotten (RFC 3339). Absent: as long as it stands in the file of revocations. */
  readonly at?: string;
  readonly until?: string;
}

/** What a revocation does. */
export interface Revoking {
  /** Sessions that end. */
  readonly ended: number;
  /** Other gateways cannot hear of it now, and do when the store answers again. */
  readonly unheard?: true;
}

/** What is revoked, for operators; made by the gateway. */
export interface RevocationDesk {
  list(): Answered<readonly RevocationView[]>;
  /** Revokes, and begins to end the sessions that are meant, on all gateways. Throws BAD_REQUEST, CONNECTION_GONE, REVOCATIONS_FULL. */
  revoke(order: RevocationOrder): Answered<Revoking>;
  /** Takes one back; false if there is none. */
  undo(order: RevocationOrder): Answered<boolean>;
}

const LONGEST_VALUE = 1_024;
const LONGEST_MS = 366 * 86_400_000;
const KINDS = [...REVOKED_BY, 'session'] as const;
const NAMES = [...KINDS, 'issuer', 'for'] as const;

/** `/revocations`: GET lists what is revoked, POST revokes, DELETE takes back. */
export function revocationsPage(desk: RevocationDesk): Page {
  async function revoke({ body }: Question): Promise<Answer> {
    return json(await desk.revoke(readOrder(readObject(await body()))));
  }

  async function undo({ query }: Question): Promise<Answer> {
    const order = readOrder(readParameters(query, NAMES));
    if (order.by === 'session' || order.forMs !== undefined)
      throw badRequest('say by jti, sid, key or subject what is taken back');
    if (!(await desk.undo(order))) throw new GatewayError('REVOCATION_UNKNOWN');
    return DONE;
  }

  const list = async () => json({ revocations: await desk.list() });
  return { path: /^\/revocations$/, isGuarded: true, methods: { GET: list, POST: revoke, DELETE: undo } };
}

function readObject(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw badRequest('the body is a JSON object like {"subject": "alice", "for": "12h"}');
}

function readOrder(given: Readonly<Record<string, unknown>>): RevocationOrder {
  const unknown = Object.keys(given).find((name) => !(NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw badRequest(`${unknown} is no name here: ${NAMES.join(', ')}`);
  const by = KINDS.filter((name) => given[name] !== undefined);
  const [kind] = by;
  if (kind === undefined || by.length > 1) throw badRequest(`say one of ${KINDS.join(', ')}`);
  return {
    by: kind,
    value: readText(kind, given[kind]),
    issuer: readIssuer(given.issuer),
    forMs: readFor(given.for),
  };
}

function readText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_VALUE)
    throw badRequest(`${name} is a text of 1 to ${LONGEST_VALUE} characters`);
  if (isToken(value))
    throw badRequest(`${name} is a whole token, which is not kept: say its jti, sid or subject`);
  return value;
}

function readIssuer(value: unknown): string | undefined {
  return value === undefined ? undefined : readText('issuer', value);
}

function readFor(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? parseDuration(value) : undefined;
  if (ms === undefined || ms > LONGEST_MS)
    throw badRequest('for is a duration like 30m or 12h, of a year at most');
  return ms;
}
