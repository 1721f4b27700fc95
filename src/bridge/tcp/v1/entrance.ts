import type { Standing } from '../../../tcp-protocol/types.ts';
import type { SessionHandle } from '../../contract.ts';
import type { TcpConnection } from './connection.ts';
import type { Visitor } from './visitor.ts';

/** What RESUME says. */
export interface Returning extends Standing {
  readonly resumeId: Uint8Array;
}

/** How a WebSocket comes to its connection. */
export interface Entrance {
  /** Milliseconds in which RESUME must come, where it is awaited. */
  readonly withinMs: number;
  /** The connection that begins with it, once OPENED is said; undefined: RESUME is awaited. */
  begin(visitor: Visitor, session: SessionHandle): TcpConnection | undefined;
  /** The connection that may go on with it. Throws RESUME_GONE where there is none. */
  find(returning: Returning, session: SessionHandle): TcpConnection;
}
