import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import type { CloseStatus } from '../frames/close.ts';
import type { FrameHandler } from '../frames/reader.ts';
import type { Take } from '../stream/source.ts';
import type { EndEvents } from './closing.ts';
import type { PeerName, SessionHandle } from './contract.ts';

/** What a WebSocket peer of a bridge is made of. */
export interface PeerOptions {
  readonly name: PeerName;
  readonly socket: Duplex;
  readonly session: SessionHandle;
  /** permessage-deflate was negotiated. */
  readonly deflate: boolean;
  /** Largest message in bytes; unless given, a client's is the session's, an upstream's unlimited. */
  readonly maxMessage?: number;
  /** Who is told of the frames it sends. */
  readonly frames: FrameHandler;
  readonly events: EndEvents;
  /** Called right before our Close is sent: the last moment to say more of it. */
  readonly beforeClose?: (status: CloseStatus, error: GatewayError | undefined) => void;
  /** Takes what it sends; unless given, `receive` does. */
  readonly take?: Take;
}
