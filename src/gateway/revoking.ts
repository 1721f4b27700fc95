import type { Logger } from 'pino';
import { openRevocationFile } from '../admission/revocation-file.ts';
import { issuerOf } from '../admission/revocation-list.ts';
import { means, type Proof, type Revocation, Revocations, type Revoked } from '../admission/revocations.ts';
import type { Config } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { badRequest } from '../http/fields.ts';
import type { RevocationDesk, RevocationOrder, RevocationView } from '../observe/admin/revocations.ts';
import type { Sessions } from '../session/registry.ts';
import type { Session } from '../session/session.ts';
import type { Broadcast, Commons } from '../store/commons.ts';
import type { FileObserver, WatchedFiles } from '../watched-files.ts';
import type { Closers } from './closers.ts';
import { paced } from './paced.ts';

/** Where all gateways have a copy of what is revoked. */
const REGISTER = 'revocations';
/** Questions to all gateways: how many sessions a revocation ends, and by what a session was let in. */
const ENDED = 'sessions that a revocation ends';
const PROOF = 'proof of a session';

interface RevocationDeps {
  readonly sessions: Sessions;
  readonly commons: Commons;
  readonly files: WatchedFiles;
  readonly logger: Logger;
  readonly reloads: FileObserver;
}

/**
 * Opens what is revoked, here, by other gateways, and in the file that the configuration names; sessions that were let in by it end
 * in the same turn of the event loop, many at a time. Rejects with ConfigError for the file.
 */
export async function openRevocations(
  config: Config,
  { sessions, commons, ...deps }: RevocationDeps,
  closers: Closers,
): Promise<Revocations> {
  const revocations = new Revocations(Date.now, commons.register(REGISTER));
  closers.add(() => revocations.close());
  sessions.judgeBy((proof) => (revocations.isRevoked(proof) ? new GatewayError('TOKEN_REVOKED') : undefined));
  revocations.onAdded(paced(() => sessions.judge()));
  await openRevocationFile(config, { ...deps, revocations });
  return revocations;
}

/** As long as tokens are good as a rule, and more. */
const KEPT_MS = 86_400_000;

interface DeskDeps {
  readonly revocations: Revocations;
  readonly sessions: Sessions;
  readonly commons: Pick<Commons, 'broadcast' | 'isHearing'>;
  /** Those of the configuration. */
  readonly issuers: Config['issuers'];
}

/** What is revoked, for operators: sessions of all gateways are meant. */
export function createRevocationDesk(deps: DeskDeps): RevocationDesk {
  const { revocations, sessions, commons, issuers } = deps;
  const { broadcast } = commons;
  broadcast.answer(ENDED, (entry) => [...sessions.lasting()].filter(meantBy(entry as Revocation)).length);
  broadcast.answer(PROOF, (id) => [...sessions.lasting()].find((session) => session.id === id)?.proof);

  async function meant({ by, value, issuer }: RevocationOrder): Promise<Revoked> {
    return by === 'session' ? tokenOf(value, broadcast) : { by, value, issuer: issOf(issuer, issuers) };
  }

  return {
    list: () => [...[...revocations].map(viewOf), ...revocations.listed],
    async revoke(order) {
      const named = await meant(order);
      const at = Date.now();
      const entry = { ...named, at, until: at + (order.forMs ?? KEPT_MS) };
      revocations.add(entry);
      // In the same turn of the event loop: those that end are still counted.
      const counts = (await broadcast.ask(ENDED, entry)) as number[];
      const ended = counts.reduce((sum, count) => sum + count, 0);
      return { ended, ...(commons.isHearing === false && { unheard: true }) };
    },
    undo: async (order) => revocations.remove(await meant(order)),
  };
}

/** Throws BAD_REQUEST for an issuer that no token can be of. */
function issOf(name: string | undefined, issuers: Config['issuers']): string | undefined {
  if (name === undefined) return undefined;
  const known = issuerOf(name, issuers);
  if (known === undefined) throw badRequest(`${name} is no issuer of the configuration`);
  return known;
}

/** The token of a session, on whichever gateway, or where it has no name of its own, its subject. */
async function tokenOf(id: string, broadcast: Broadcast): Promise<Revoked> {
  const [proof] = (await broadcast.ask(PROOF, id)) as Proof[];
  if (proof === undefined) throw new GatewayError('CONNECTION_GONE');
  const { jti, subject, issuer } = proof;
  if (jti !== undefined) return { by: 'jti', value: jti, issuer };
  if (subject !== undefined) return { by: 'subject', value: subject, issuer };
  throw badRequest('this session has proven nothing that could be revoked: end it by DELETE /sessions/ID');
}

function meantBy(entry: Revocation): (session: Session) => boolean {
  return ({ proof }) => means(entry, proof);
}

function viewOf({ by, value, issuer, at, until }: Revocation): RevocationView {
  return { by, value, issuer, at: new Date(at).toISOString(), until: new Date(until).toISOString() };
}
