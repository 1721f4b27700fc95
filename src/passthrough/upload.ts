import type { ClientRequest, IncomingMessage } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { GatewayError } from '../errors.ts';
import { createIdleClock, createPaceClock, createStallClock, type Pace, type StopClock } from './clocks.ts';
import type { TrailersOf } from './trailers.ts';

// Written before a body, a head keeps its bytes; flushHeaders() would write it as UTF-8.
const NOTHING = Buffer.alloc(0);

/** How long the body of a request may pause, in milliseconds. */
export interface UploadTimes {
  /** The client brings nothing. */
  readonly idle: number;
  /** The upstream takes nothing. */
  readonly stall: number;
  /** Absent: it may come as slowly as it likes. */
  readonly pace: Pace | undefined;
}

/** A body on its way. */
export interface Upload {
  /** What is written upstream, as it is written. */
  readonly body: Readable;
  /** Passed on so far. */
  bytes(): number;
  /** Ends its deadlines; it goes on. Again is a no-op. */
  untimed(): void;
  /** Ends it where it is. */
  abandon(): void;
}

/**
 * Streams the body of a request upstream, its trailers behind it (RFC 9110 §6.5). `onLate` is told who is late:
 * REQUEST_TIMEOUT for the client, UPSTREAM_TIMEOUT for the upstream.
 */
export function upload(
  message: IncomingMessage,
  upstream: ClientRequest,
  { times, trailersOf }: { readonly times: UploadTimes; readonly trailersOf: TrailersOf },
  onLate: (error: GatewayError) => void,
): Upload {
  // The upstream may refuse a body before the client has sent any of it.
  upstream.write(NOTHING);
  let passed = 0;
  function count(bytes: number): void {
    passed += bytes;
  }
  const body = message.pipe(createTurns(count));
  body.once('end', onEnd).pipe(upstream, { end: false });
  const clocks = startClocks(message, body, upstream, times, onLate);
  function untimed(): void {
    for (const stop of clocks.splice(0)) stop();
  }
  function onEnd(): void {
    untimed();
    const trailers = trailersOf(message);
    if (trailers.length > 0) upstream.addTrailers(trailers);
    upstream.end();
  }
  function abandon(): void {
    untimed();
    message.unpipe(body);
    body.off('end', onEnd).unpipe(upstream);
    body.destroy();
  }
  return { body, bytes: () => passed, untimed, abandon };
}

/**
 * Passes a chunk on in each turn of the loop, behind all reads of that turn. An upstream that has answered and closed without
 * reading on makes the next write fail, and with that Node drops the socket and the answer that is still unread in it.
 */
function createTurns(count: (bytes: number) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      count(chunk.length);
      setImmediate(done, null, chunk);
    },
  });
}

function startClocks(
  message: IncomingMessage,
  body: Readable,
  upstream: ClientRequest,
  { idle, stall, pace }: UploadTimes,
  onLate: (error: GatewayError) => void,
): StopClock[] {
  const onSlow = () => onLate(new GatewayError('REQUEST_TIMEOUT', { detail: 'the body came too slowly' }));
  const onStall = () =>
    onLate(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'it stopped reading the body' }));
  const onIdle = () => (upstream.writableNeedDrain ? onStall() : onLate(new GatewayError('REQUEST_TIMEOUT')));
  return [
    createIdleClock(idle, [message], onIdle),
    createStallClock(stall, body, upstream, onStall),
    ...(pace === undefined ? [] : [createPaceClock(pace, message, upstream, onSlow)]),
  ];
}
