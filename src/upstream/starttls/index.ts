import type { Socket } from 'node:net';
import type { StartTlsKind } from '../../config/upstream-tls.ts';
import { hidingChannelBinding, type Overhear } from './channel-binding.ts';
import { Dialogue } from './dialogue.ts';
import { imap } from './imap.ts';
import { ldap } from './ldap.ts';
import { postgres } from './postgres.ts';
import { smtp } from './smtp.ts';

/** Brings a service to begin TLS; resolves with what the client is still to read of it. */
type StartTls = (dialogue: Dialogue) => Promise<Buffer | undefined>;

/** One file for each protocol that has a way of its own. */
const WAYS: Readonly<Record<StartTlsKind, StartTls>> = { postgres, smtp, imap, ldap };

/** What is to be changed of what the service says over TLS, since its client does not see that TLS. */
export function overhearing(kind: StartTlsKind | undefined): Overhear | undefined {
  return kind === 'postgres' ? hidingChannelBinding() : undefined;
}

/**
 * Asks a service for TLS in its own protocol. When it resolves, the next byte of both sides is one of TLS. Rejects as
 * Dialogue does, and with UPSTREAM_REFUSED where the service speaks no TLS.
 */
export async function startTls(kind: StartTlsKind, socket: Socket, signal: AbortSignal): Promise<Buffer> {
  const dialogue = new Dialogue(socket, signal);
  const toClient = await WAYS[kind](dialogue);
  dialogue.end();
  return toClient ?? Buffer.alloc(0);
}
