import { LATEST_DATE } from '../admission/grant.ts';
import { GatewayError } from '../errors.ts';
import type { CloseStatus } from '../frames/close.ts';
import type { SessionDesk, SessionFilter, SessionPage, SessionView } from '../observe/admin/sessions.ts';
import { inTurns } from '../session/in-turns.ts';
import type { Sessions } from '../session/registry.ts';
import type { Session } from '../session/session.ts';

/** The open sessions of a gateway, for its operators. */
export function createSessionDesk(sessions: Sessions): SessionDesk {
  function list(filter: SessionFilter, after: number, limit: number): SessionPage {
    const fits = matcher(filter);
    const found: Session[] = [];
    for (const session of sessions) {
      if (session.ordinal <= after || !fits(session)) continue;
      found.push(session);
      // One more than asked for says that there is a next page.
      if (found.length > limit) break;
    }
    const shown = found.slice(0, limit);
    const next = found.length > limit ? shown.at(-1)?.ordinal : undefined;
    const places = shown.map(({ ordinal }) => ordinal);
    return { sessions: shown.map(viewOf), open: sessions.size, next, places };
  }

  async function endAll(filter: SessionFilter, status: CloseStatus | undefined): Promise<number> {
    const chosen = [...sessions].filter(matcher(filter));
    await inTurns(chosen, (session) => end(session, status));
    return chosen.length;
  }

  const byId = (id: string) => [...sessions].find((session) => session.id === id);
  return {
    list,
    endAll,
    find(id) {
      const session = byId(id);
      return session && viewOf(session);
    },
    end(id, status) {
      const session = byId(id);
      if (session !== undefined) end(session, status);
      return session !== undefined;
    },
  };
}

function end(session: Session, status: CloseStatus | undefined): void {
  if (status === undefined) session.close(new GatewayError('SESSION_KILLED'));
  else session.end(status);
}

function matcher(filter: SessionFilter): (session: Session) => boolean {
  const wanted = Object.entries(filter) as [keyof SessionFilter, string][];
  return (session) =>
    wanted.every(([name, value]) => (name === 'address' ? session.clientAddress : session[name]) === value);
}

function viewOf(session: Session): SessionView {
  const { id, route, bridge, target, subject, issuer, origin, path, protocol, up, down } = session;
  const { clientAddress: address, startedAt, durationMs, expiresAt, roundTripMs } = session;
  return {
    ...{ id, route, bridge, target, subject, issuer, address, origin, path, protocol },
    since: new Date(startedAt).toISOString(),
    ageMs: Math.round(durationMs),
    ...(expiresAt !== undefined &&
      expiresAt <= LATEST_DATE && { expires: new Date(expiresAt).toISOString() }),
    ...(roundTripMs !== undefined && { roundTripMs: Math.round(roundTripMs * 10) / 10 }),
    up,
    down,
  };
}
