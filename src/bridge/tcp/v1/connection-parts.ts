import type { Socket } from 'node:net';
import type { Grant } from '../../../admission/grant.ts';
import type { Overhear } from '../../../upstream/starttls/channel-binding.ts';
import type { AbsenceOptions } from '../../absence.ts';
import type { Destination } from '../../contract.ts';

/** What a connection to a TCP service is made of. */
export interface TcpConnectionParts extends AbsenceOptions {
  readonly socket: Socket;
  readonly overhear?: Overhear | undefined;
  /** The endpoint it leads to. */
  readonly to: Destination;
  /** Names it in the gateway. */
  readonly connectionId: string;
  /** Whether a client with these claims comes to the same target. */
  readonly leadsHere: (claims: Grant['claims']) => boolean;
  /** It may wait for its client to come back. */
  readonly isResumable: boolean;
  /** Milliseconds that the service may leave our writes unread, and that its end may take. */
  readonly stallMs: number;
  readonly closeMs: number;
  /** It is over, without a client: none came back in time, or it has ended in another way. */
  onOver(outcome: 'expired' | 'ended'): void;
}
