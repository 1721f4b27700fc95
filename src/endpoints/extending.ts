import { LATEST_DATE, type Renewed } from '../admission/grant.ts';
import type { Revocations } from '../admission/revocations.ts';
import { GatewayError } from '../errors.ts';
import type { Session } from '../session/session.ts';

/** What a new token does to the sessions of one process. What is told of it is JSON, and never the token. */

/** What a route thinks of a client's new token. */
export interface Verdict extends Renewed {
  readonly route: string;
  readonly issuer: string | undefined;
  readonly subject: string;
  /** It would not let the client in any more. */
  readonly isOver: boolean;
}

export interface Order {
  readonly verdicts: readonly Verdict[];
  /** The one session that is meant; absent: all. */
  readonly session?: string | undefined;
}

/** An order as another process tells it, which may be of another version; undefined for what is none. */
export function readOrder(told: unknown): Order | undefined {
  const { verdicts, session } = (told ?? {}) as Partial<Order>;
  const isMeant = session === undefined || typeof session === 'string';
  return isMeant && Array.isArray(verdicts) && verdicts.every(isVerdict) ? { verdicts, session } : undefined;
}

function isVerdict(told: unknown): told is Verdict {
  const { route, issuer, subject, expiresAt, graceMs, marks, isOver } = (told ?? {}) as Partial<Verdict>;
  const { jti, sid, key, issuedAt } = marks ?? {};
  const isWhose = typeof route === 'string' && typeof subject === 'string' && typeof isOver === 'boolean';
  return isWhose && [issuer, jti, sid, key].every(isText) && [expiresAt, graceMs, issuedAt].every(isNumber);
}

function isText(told: unknown): boolean {
  return told === undefined || typeof told === 'string';
}

/** Infinity is null in JSON. */
function isNumber(told: unknown): boolean {
  return told === undefined || told === null || Number.isFinite(told);
}

/** A session that is open until the end of the token, or longer. */
interface Extended {
  readonly id: string;
  readonly route: string;
  readonly path: string;
  /** RFC 3339. */
  readonly since: string;
  readonly expires: string;
}

export interface RefreshedHere {
  readonly extended: number;
  readonly ended: number;
  /** The first of those that are extended. */
  readonly sessions: readonly Extended[];
}

/** Sessions that an answer names. */
export const MOST_NAMED = 100;

/** Extends the sessions that go on by a new token, and ends those that do not. */
export function extendHere(
  sessions: Iterable<Session>,
  revocations: Pick<Revocations, 'isRevoked'>,
  { verdicts, session: id }: Order,
): RefreshedHere {
  const byRoute = new Map(verdicts.map((verdict) => [verdict.route, verdict]));
  const extended: Extended[] = [];
  let count = 0;
  let ended = 0;
  for (const session of sessions) {
    const verdict = byRoute.get(session.route);
    if (verdict === undefined || !isOf(session, verdict, id)) continue;
    if (verdict.isOver) {
      session.close(new GatewayError('FORBIDDEN'));
      ended += 1;
      continue;
    }
    // It may have been revoked here after it was judged elsewhere.
    if (revocations.isRevoked({ ...verdict.marks, ...verdict })) continue;
    extend(session, verdict);
    count += 1;
    if (extended.length < MOST_NAMED) extended.push(viewOf(session));
  }
  return { extended: count, ended, sessions: extended };
}

function isOf(session: Session, { issuer, subject }: Verdict, id: string | undefined): boolean {
  if (session.isEnding || (id !== undefined && session.id !== id)) return false;
  return session.subject === subject && session.issuer === issuer;
}

/** Never shortens: another page of the client may have shown a later one. */
function extend(session: Session, { expiresAt, graceMs, marks }: Verdict): void {
  if ((expiresAt ?? Infinity) > (session.expiresAt ?? Infinity))
    session.extend({ expiresAt: expiresAt ?? undefined, graceMs, marks });
}

function viewOf({ id, route, path, startedAt, expiresAt = LATEST_DATE }: Session): Extended {
  return {
    ...{ id, route, path },
    since: new Date(startedAt).toISOString(),
    expires: new Date(Math.min(expiresAt, LATEST_DATE)).toISOString(),
  };
}
