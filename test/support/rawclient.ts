import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { within } from './patience.ts';

/** A WebSocket client that says any bytes, right or wrong, and keeps what comes back as it came (RFC 6455 §5.2). */

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const FIN = 0x80;
const RSV1 = 0x40;
/** Ends a sync flush; left off on the wire (RFC 7692 §7.2.1). */
const FLUSH_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const SYNC = { finishFlush: constants.Z_SYNC_FLUSH };

/** What a frame may be that a well-behaved client's is not. */
export interface FrameShape {
  readonly fin?: boolean;
  /** RSV bits as they stand in the first byte: 0x40, 0x20, 0x10. */
  readonly rsv?: number;
  readonly masked?: boolean;
  /** Bytes of the extended length, if not the fewest that fit: 2 or 8. */
  readonly lengthBytes?: 2 | 8;
}

/** A client's frame. */
export function clientFrame(opcode: number, payload: Buffer | string, shape: FrameShape = {}): Buffer {
  const { fin = true, rsv = 0, masked = true, lengthBytes } = shape;
  const body = Buffer.from(payload);
  const length = lengthOf(body.length, lengthBytes);
  if (!masked) return Buffer.concat([Buffer.from([(fin ? FIN : 0) | rsv | opcode]), length, body]);
  length[0] = (length[0] as number) | 0x80;
  const key = randomBytes(4);
  for (let i = 0; i < body.length; i++) body[i] = (body[i] as number) ^ (key[i & 3] as number);
  return Buffer.concat([Buffer.from([(fin ? FIN : 0) | rsv | opcode]), length, key, body]);
}

/** A frame as a server sends it. */
export function serverFrame(opcode: number, payload: Buffer | string): Buffer {
  return clientFrame(opcode, payload, { masked: false });
}

function lengthOf(size: number, bytes = size < 126 ? 0 : size < 65_536 ? 2 : 8): Buffer {
  const length = Buffer.alloc(1 + bytes);
  length[0] = bytes === 0 ? size : bytes === 2 ? 126 : 127;
  if (bytes === 2) length.writeUInt16BE(size, 1);
  if (bytes === 8) length.writeBigUInt64BE(BigInt(size), 1);
  return length;
}

/** The payload of a Close frame. */
export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)]);
  payload.writeUInt16BE(code);
  return payload;
}

/** The frames of one message, cut at these places of its payload on the wire; compressed if `deflate`. */
export function messageFrames(
  opcode: number,
  payload: Buffer | string,
  { cuts = [], deflate = false }: { cuts?: readonly number[]; deflate?: boolean } = {},
): Buffer[] {
  const body = deflate ? compress(Buffer.from(payload)) : Buffer.from(payload);
  const ends = [...cuts.filter((cut) => cut <= body.length), body.length];
  return ends.map((end, index) =>
    clientFrame(index === 0 ? opcode : CONTINUATION, body.subarray(ends[index - 1] ?? 0, end), {
      fin: index === ends.length - 1,
      rsv: deflate && index === 0 ? RSV1 : 0,
    }),
  );
}

/** A message's payload as permessage-deflate puts it on the wire, with nothing taken over from an earlier one. */
export function compress(payload: Buffer): Buffer {
  return deflateRawSync(payload, SYNC).subarray(0, -FLUSH_TAIL.length);
}

function inflate(payload: Buffer): Buffer {
  return inflateRawSync(Buffer.concat([payload, FLUSH_TAIL]), SYNC);
}

/** A frame that came: unfragmented, as test servers send them; inflated if RSV1 said so. */
export interface HeardFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** An open raw connection. */
export class RawClient {
  /** The 101, up to and with its empty line. */
  readonly head: string;
  readonly #socket: Socket;
  readonly #bytes: Buffer[] = [];
  readonly #frames: HeardFrame[] = [];
  #rest: Buffer[] = [];
  #restLength = 0;
  #needed = 2;
  #onFrame: () => void = () => {};
  readonly #ended: Promise<unknown>;

  constructor(socket: Socket, head: string, rest: Buffer) {
    this.head = head;
    this.#socket = socket;
    this.#ended = once(socket, 'end');
    // Whoever waits for the end gets the error; who does not, does not care.
    this.#ended.catch(() => {});
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.#onData(chunk));
    if (rest.length > 0) this.#onData(rest);
    socket.resume();
  }

  /** Sends frames: all in one write, or an octet at a time, each in a turn of its own. */
  async say(frames: readonly Buffer[], how: 'whole' | 'chopped' = 'whole'): Promise<void> {
    const bytes = Buffer.concat(frames);
    if (how === 'whole') {
      this.#socket.write(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; at++) {
      this.#socket.write(bytes.subarray(at, at + 1));
      await nextTurn();
    }
  }

  /** The frame of this number, 0 the first, once it has come. */
  async frame(index: number): Promise<HeardFrame> {
    while (this.#frames.length <= index) {
      const more = new Promise<void>((resolve) => {
        this.#onFrame = resolve;
      });
      await within(more, `frame ${this.#frames.length}, where ${index} is awaited`);
    }
    return this.#frames[index] as HeardFrame;
  }

  /** Every byte behind the 101, once the server has ended. Rejects on a reset. */
  async bytes(): Promise<Buffer> {
    await within(this.#ended, 'the end');
    return Buffer.concat(this.#bytes);
  }

  /** Every frame, once the server has ended. Rejects on a reset, and if the last frame is not whole. */
  async frames(): Promise<readonly HeardFrame[]> {
    await within(this.#ended, 'the end');
    if (this.#restLength > 0) throw new Error(`${this.#restLength} bytes of an unfinished frame came last`);
    return this.#frames;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#bytes.push(chunk);
    this.#rest.push(chunk);
    this.#restLength += chunk.length;
    while (this.#restLength >= this.#needed) this.#readFrame();
  }

  /** Takes one frame off the rest, or finds out how many bytes that takes. */
  #readFrame(): void {
    const rest = Buffer.concat(this.#rest);
    this.#rest = [rest];
    const short = (rest[1] as number) & 0x7f;
    const headerSize = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    this.#needed = headerSize;
    if (rest.length < headerSize) return;
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    this.#needed = headerSize + length;
    if (rest.length < this.#needed) return;
    this.#take(rest[0] as number, rest.subarray(headerSize, this.#needed));
    this.#rest = [rest.subarray(this.#needed)];
    this.#restLength = rest.length - this.#needed;
    this.#needed = 2;
  }

  #take(first: number, payload: Buffer): void {
    const opcode = first & 0x0f;
    this.#frames.push({ opcode, payload: (first & RSV1) === 0 ? payload : inflate(payload) });
    // A Close is answered, as RFC 6455 §5.5.1 asks; a second Close of ours nobody reads.
    if (opcode === CLOSE && this.#socket.writable) this.#socket.write(clientFrame(CLOSE, payload));
    this.#onFrame();
  }
}

/** Opens a WebSocket by hand on a port of 127.0.0.1. `fields` are further header lines. Rejects with the whole answer if it is no 101. */
export async function openRaw(
  port: number,
  target: string,
  fields: readonly string[] = [],
): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const lines = [`GET ${target} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Upgrade: websocket'];
  lines.push('Connection: Upgrade', 'Sec-WebSocket-Version: 13');
  lines.push(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`, ...fields);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const { head, rest } = await within(readHead(socket), 'the head of an answer');
  if (head.startsWith('HTTP/1.1 101 ')) return new RawClient(socket, head, rest);
  throw new Error(`no 101 but: ${head}${rest.toString('latin1')}${await text(socket)}`);
}

/** Reads no further than it must: the socket stays as it was, with what came behind the head in `rest`. */
async function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  let seen: Buffer = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen = Buffer.concat([seen, chunk as Buffer]);
    const end = seen.indexOf('\r\n\r\n') + 4;
    if (end >= 4) return { head: seen.toString('latin1', 0, end), rest: seen.subarray(end) };
  }
  throw new Error(`no answer but: ${seen.toString('latin1')}`);
}
