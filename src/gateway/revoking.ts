import { type Revocation, Revocations } from '../admission/revocations.ts';
import type { Config } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { badRequest } from '../http/fields.ts';
import type { RevocationDesk, RevocationOrder, RevocationView } from '../observe/admin/revocations.ts';
import type { Sessions } from '../session/registry.ts';
import type { Closers } from './closers.ts';

/** Opens what is revoked; sessions that were let in by it end in the same turn of the event loop, many at a time. */
export function openRevocations(sessions: Sessions, closers: Closers): Revocations {
  const revocations = new Revocations();
  closers.add(() => revocations.close());
  sessions.judgeBy((proof) => (revocations.isRevoked(proof) ? new GatewayError('TOKEN_REVOKED') : undefined));
  let isWaiting = false;
  revocations.onAdded(() => {
    if (isWaiting) return;
    isWaiting = true;
    // However many are added meanwhile, sessions are gone through once.
    setImmediate(() => {
      isWaiting = false;
      sessions.judge();
    });
  });
  return revocations;
}

/** As long as tokens are good as a rule, and more. */
const KEPT_MS = 86_400_000;

/** What is revoked, for operators. `issuers` are those of the configuration. */
export function createRevocationDesk(
  revocations: Revocations,
  sessions: Sessions,
  issuers: Config['issuers'],
): RevocationDesk {
  /** Throws BAD_REQUEST for an issuer that no token can be of. */
  function issOf(name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    const known = Object.entries(issuers).find(([each, { issuer }]) => each === name || issuer === name);
    if (known === undefined) throw badRequest(`${name} is no issuer of the configuration`);
    return known[1].issuer;
  }

  /** The token of a session, or where it has no name of its own, its subject. */
  function tokenOf(id: string): Pick<Revocation, 'by' | 'value' | 'issuer'> {
    const session = [...sessions].find((each) => each.id === id);
    if (session === undefined) throw new GatewayError('CONNECTION_GONE');
    const { jti, subject, issuer } = session.proof;
    if (jti !== undefined) return { by: 'jti', value: jti, issuer };
    if (subject !== undefined) return { by: 'subject', value: subject, issuer };
    throw badRequest('this session has proven nothing that could be revoked: end it by DELETE /sessions/ID');
  }

  function meant({ by, value, issuer }: RevocationOrder): Pick<Revocation, 'by' | 'value' | 'issuer'> {
    return by === 'session' ? tokenOf(value) : { by, value, issuer: issOf(issuer) };
  }

  return {
    list: () => [...revocations].map(viewOf),
    revoke(order) {
      const at = Date.now();
      revocations.add({ ...meant(order), at, until: at + (order.forMs ?? KEPT_MS) });
      return [...sessions].filter(({ proof }) => revocations.isRevoked(proof)).length;
    },
    undo: (order) => revocations.remove(meant(order)),
  };
}

function viewOf({ by, value, issuer, at, until }: Revocation): RevocationView {
  return { by, value, issuer, at: new Date(at).toISOString(), until: new Date(until).toISOString() };
}
