import type { IncomingHttpHeaders } from 'node:http';
import { pipeline, Readable, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { ExchangeFailed } from './exchange-failed.ts';
import { Gathered } from './gathered.ts';

/** Makes what takes one content coding off a body (RFC 9110 §8.4.1) that begins with a piece. */
export type Coding = (first: Buffer) => Transform;

/** No more is decoded than is taken. */
const EAGER = { chunkSize: 16 * 1024, highWaterMark: 1 };
/** No content coding needs more than 8 MiB of window (RFC 9659 §3); zstd itself would allow 128. */
const ZSTD = { ...EAGER, params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } };

const gzip: Coding = () => zlib.createGunzip(EAGER);
/** The format is zlib's (RFC 9110 §8.4.1.2), but some send the bare stream, which does not begin as zlib's does. */
const deflate: Coding = ([byte = 0]) =>
  (byte & 0x0f) === 8 ? zlib.createInflate(EAGER) : zlib.createInflateRaw(EAGER);
const br: Coding = () => zlib.createBrotliDecompress(EAGER);
const zstd: Coding = () => zlib.createZstdDecompress(ZSTD);

const CODINGS: Readonly<Record<string, Coding>> = {
  gzip,
  'x-gzip': gzip,
  deflate,
  br,
  // Node has it since 22.15.
  ...(typeof zlib.createZstdDecompress === 'function' && { zstd }),
};

/** More than any service has a reason for: each costs memory and time. */
const MAX_CODINGS = 3;

/** The codings of an answer, in the order they were applied. Throws an Error for one that nobody knows here. */
export function codingsOf(headers: IncomingHttpHeaders): readonly Coding[] {
  const names = (headers['content-encoding'] ?? '').toLowerCase().split(',');
  const applied = names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity');
  if (applied.length > MAX_CODINGS) throw new Error(`its body has ${applied.length} content codings`);
  return applied.map((name) => {
    const coding = Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined;
    if (coding === undefined) throw new Error(`its content coding is unknown: ${JSON.stringify(name)}`);
    return coding;
  });
}

/** The fields of an answer whose body has been decoded. */
export function withoutCoding(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'content-encoding': _coding, 'content-length': _length, ...rest } = headers;
  return rest;
}

/** Most bytes a body may have before it is decoded: what does not compress grows by a little. */
export function codedSize(size: number): number {
  return size + Math.ceil(size / 100) + 1024;
}

/** Decodes a whole body. Rejects with ExchangeFailed: `too big` beyond `size` decoded bytes, else as `decodePieces`. */
export async function decodeWhole(body: Buffer, codings: readonly Coding[], size: number): Promise<Buffer> {
  const decoded = new Gathered();
  for await (const piece of decodePieces(Readable.from([body]), codings)) {
    if (decoded.size + piece.length > size) throw new ExchangeFailed('too big', false);
    decoded.add(piece);
  }
  return decoded.whole;
}

/**
 * Decodes a body while it comes. Its pieces reject as the body's do, or with ExchangeFailed: `broken` where it ends too
 * early, `undecodable` where it is damaged. Leaving it leaves the body.
 */
export function decodePieces(body: AsyncIterable<Buffer>, codings: readonly Coding[]): AsyncIterable<Buffer> {
  return codings.reduceRight((coded: AsyncIterable<Buffer>, coding) => {
    const pieces = new Decoded(coded[Symbol.asyncIterator](), coding);
    return { [Symbol.asyncIterator]: () => pieces };
  }, body);
}

const DONE = { done: true, value: undefined } as const;

/** A body without the coding that was applied last. */
class Decoded implements AsyncIterator<Buffer> {
  readonly #coded: AsyncIterator<Buffer>;
  readonly #coding: Coding;
  #decoder: Transform | undefined;
  #decoded: AsyncIterator<Buffer> | undefined;
  /** Bytes given to the decoder. */
  #taken = 0;
  #hasLeft = false;

  constructor(coded: AsyncIterator<Buffer>, coding: Coding) {
    this.#coded = coded;
    this.#coding = coding;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    try {
      this.#decoded ??= await this.#open();
      const piece = (await this.#decoded?.next()) ?? DONE;
      if (piece.done) checkEnd(this.#decoder, this.#taken);
      return piece;
    } catch (error) {
      if (this.#hasLeft) return DONE;
      await this.return();
      throw asFailure(error);
    }
  }

  async return(): Promise<IteratorResult<Buffer>> {
    this.#hasLeft = true;
    // First, for the decoder may be waiting for it.
    await this.#coded.return?.();
    this.#decoder?.destroy();
    return DONE;
  }

  /** Undefined if there is nothing to decode. */
  async #open(): Promise<AsyncIterator<Buffer> | undefined> {
    const first = await this.#coded.next();
    if (first.done) return undefined;
    this.#decoder = this.#coding(first.value);
    // Who reads the decoder hears of failures.
    pipeline(Readable.from(this.#input(first)), this.#decoder, () => {});
    return this.#decoder[Symbol.asyncIterator]();
  }

  async *#input(first: IteratorResult<Buffer>): AsyncGenerator<Buffer> {
    for (let piece = first; !piece.done; piece = await this.#coded.next()) {
      this.#taken += piece.value.length;
      yield piece.value;
    }
  }
}

/** zlib drops what stands behind the end of what it decodes; a service that put it there meant something by it. */
function checkEnd(decoder: Transform | undefined, taken: number): void {
  const used = (decoder as Partial<zlib.Gunzip> | undefined)?.bytesWritten ?? 0;
  if (used < taken) throw new Error('something follows the end of its coded body');
}

function asFailure(error: unknown): ExchangeFailed {
  if (error instanceof ExchangeFailed) return error;
  const isCut = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
  if (isCut) return new ExchangeFailed('broken', false, error);
  const cause = new Error('its body is not what its Content-Encoding says', { cause: error });
  return new ExchangeFailed('undecodable', false, cause);
}
