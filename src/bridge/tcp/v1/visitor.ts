import type { Sink } from '../../../stream/sink.ts';
import type { Source } from '../../../stream/source.ts';
import type { TcpMessage } from '../../../tcp-protocol/types.ts';
import type { Closing } from '../../closing.ts';
import type { Receiver } from './outbound.ts';

/** A client of a connection, while it has one. */
export interface Visitor extends Receiver {
  /** How its WebSocket ends. */
  readonly closing: Closing;
  /** It has ended: nothing that still comes of it counts. */
  readonly isTold: boolean;
  send(message: TcpMessage): void;
  /** What comes of it is written there; that is bounded by the credit it is given. */
  feed(sink: Sink): void;
  /** What it is sent is written where it lies in what `source` has read, which reads no more while the client is slow. */
  takeFrom(source: Source): void;
  /** Hands on what has come of it and waits for the end of its chunk. */
  flush(): void;
  /** Both directions are through. */
  conclude(): void;
}
