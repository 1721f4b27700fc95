import { hash } from 'node:crypto';
import { GatewayError } from '../errors.ts';
import type { Notes } from '../store/commons.ts';
import type { Revocation, Revocations } from './revocations.ts';
import { invalid, unverifiedIssuer } from './token/jwt.ts';
import type { Logout, VerifyLogout } from './token/logout-token.ts';
import type { Guard } from './token/proof.ts';
import type { Verifications } from './token/verifications.ts';

/** Whose word counts when clients sign out. */
export interface LogoutParty {
  /** The `iss` of its tokens. */
  readonly issuer: string;
  readonly verify: VerifyLogout;
  /** As long as its tokens are good at most, in milliseconds. */
  readonly forMs: number;
}

export interface LogoutDeps {
  readonly revocations: Pick<Revocations, 'add'>;
  /** Where it is noted which tokens have been shown. */
  readonly notes: Notes;
  readonly verifications: Verifications;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Who has signed out. */
export interface LoggedOut {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly revocation: Revocation;
}

/** Takes a logout token that came from an address. */
export type LogOut = (token: string, address: string) => Promise<LoggedOut>;

/**
 * Compiles what becomes of logout tokens at one place: those of the sign-in that they name are revoked, or where they name
 * none, those of the subject that were issued until then. Rejects with TOKEN_INVALID, also for one that was shown before;
 * with KEYS_UNAVAILABLE, STORE_UNAVAILABLE or REVOCATIONS_FULL where it may be shown again; with RATE_LIMITED for an address
 * from which come too many bad ones.
 */
export function createLogOut(parties: readonly LogoutParty[], deps: LogoutDeps): LogOut {
  const { revocations, notes, verifications, now = Date.now } = deps;

  return async function logOut(token, address) {
    const guard = { check: () => verifications.check(address), enter: () => verifications.enter(address) };
    try {
      const [{ forMs }, logout] = await judge(token, parties, guard);
      const note = noteOf(logout);
      const goodForMs = Math.max(1, logout.expiresAt - now());
      if (!(await notes.put(note, '', goodForMs))) throw invalid('it was shown before: its jti is known');
      const revocation = { ...revokedBy(logout), at: logout.issuedAt, until: now() + forMs };
      await keep(revocation, note);
      return { issuer: logout.issuer, subject: logout.subject, revocation };
    } catch (error) {
      if (isInvalid(error)) verifications.failed(address);
      throw error;
    }
  };

  /** What could not be kept may be said again. */
  async function keep(revocation: Revocation, note: string): Promise<void> {
    try {
      revocations.add(revocation);
    } catch (error) {
      await notes.take(note);
      throw error;
    }
  }
}

/** Several of one issuer differ by their client. */
async function judge(
  token: string,
  parties: readonly LogoutParty[],
  guard: Guard,
): Promise<[LogoutParty, Logout]> {
  const issuer = unverifiedIssuer(token);
  let fault = invalid('no issuer with logout at this path has its iss');
  for (const party of parties.filter((each) => each.issuer === issuer)) {
    try {
      return [party, await party.verify(token, guard)];
    } catch (error) {
      if (!isInvalid(error)) throw error;
      fault = error;
    }
  }
  throw fault;
}

function revokedBy({ sid, subject = '', issuer }: Logout): Pick<Revocation, 'by' | 'value' | 'issuer'> {
  return sid === undefined ? { by: 'subject', value: subject, issuer } : { by: 'sid', value: sid, issuer };
}

/** As long as any other, whatever the provider writes. */
function noteOf({ issuer, jti }: Logout): string {
  return `logout:${hash('sha256', JSON.stringify([issuer, jti]), 'base64url')}`;
}

function isInvalid(error: unknown): error is GatewayError {
  return error instanceof GatewayError && error.code === 'TOKEN_INVALID';
}
