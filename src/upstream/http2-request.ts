import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { HttpRequest } from './client.ts';
import { NotProcessed, type RequestControl, type ResponseHandler } from './wire.ts';

/** What would end a field or a request line over HTTP/1.1, behind a service that passes it on (RFC 9113 §8.2.1, §10.3). */
const BAD_PATH = /[^\x21-\x7e\x80-\xff]/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** One request in a stream of its own (RFC 9113 §8.1). */
export class Http2Request implements RequestControl {
  readonly #handler: ResponseHandler;
  /** Whether the service has said that it will not look at the stream of this number. */
  readonly #isBeyond: (id: number) => boolean;
  #stream: ClientHttp2Stream | undefined;
  #isOver = false;
  #isWhole = false;
  #error: Error | undefined;

  constructor(handler: ResponseHandler, isBeyond: (id: number) => boolean) {
    this.#handler = handler;
    this.#isBeyond = isBeyond;
  }

  /** Sends it. Returns its stream; undefined if nothing has left. Never throws. */
  send(session: ClientHttp2Session, request: HttpRequest): ClientHttp2Stream | undefined {
    try {
      const fields = fieldsOf(request);
      this.#handler.onRequestStart(this);
      if (this.#isOver) return undefined;
      const stream = session.request(fields, { endStream: request.body === undefined });
      this.#follow(stream);
      if (request.body !== undefined) stream.end(request.body);
      return stream;
    } catch (error) {
      this.#fail(new NotProcessed('it could not be sent', error));
      return undefined;
    }
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  abort(): void {
    this.#isOver = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  #follow(stream: ClientHttp2Stream): void {
    this.#stream = stream;
    noticeEnd(stream, () => {
      this.#isWhole = true;
    });
    stream.once('response', (headers) => {
      this.#onHead(headers);
      // What has been paused meanwhile does not begin to flow by this.
      stream.on('data', (piece: Buffer) => this.#onData(piece));
    });
    stream.on('end', () => this.#onEnd(stream));
    stream.on('error', (error) => {
      this.#error = error;
    });
    stream.on('close', () => this.#onClose(stream));
  }

  #onHead({ ':status': status = 0, ...fields }: IncomingHttpHeaders & { ':status'?: number }): void {
    if (!this.#isOver) this.#handler.onResponseStart(this, status, fields);
  }

  #onData(piece: Buffer): void {
    if (!this.#isOver) this.#handler.onResponseData(this, piece);
  }

  #onEnd(stream: ClientHttp2Stream): void {
    if (this.#isOver || !this.#isWhole) return;
    this.#isOver = true;
    // Of a request that is answered already, nobody needs the rest.
    if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
    this.#handler.onResponseEnd();
  }

  #onClose({ id = 0, rstCode }: ClientHttp2Stream): void {
    const reason = this.#error ?? new Error(`its stream was closed with code ${rstCode}`);
    const isRefused = rstCode === constants.NGHTTP2_REFUSED_STREAM || id === 0 || this.#isBeyond(id);
    this.#fail(isRefused ? new NotProcessed('the service did not look at it', reason) : reason);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#handler.onResponseError(this, error);
  }
}

/**
 * Node ends the readable side of a stream when the service has ended it, and likewise when a stream or its connection
 * was closed amid a body; only in the first case is the stream still open at that moment.
 */
function noticeEnd(stream: ClientHttp2Stream, onEnd: () => void): void {
  const push = stream.push.bind(stream);
  stream.push = function pushOrEnd(piece, encoding) {
    if (piece === null && !stream.closed && !stream.destroyed) onEnd();
    return push(piece, encoding);
  };
}

/** Throws for what cannot be sent; Node would leave it out without a word. */
function fieldsOf({ method, path, headers, body }: HttpRequest): Record<string, string> {
  const { host, ...fields } = headers;
  const bad = Object.entries(headers).find(([, value]) => BAD_VALUE.test(value));
  if (bad) throw new Error(`the field ${bad[0]} holds what cannot be sent`);
  if (BAD_PATH.test(path)) throw new Error('its path holds what cannot be sent');
  return {
    ...fields,
    ...(host !== undefined && { ':authority': host }),
    ':method': method,
    ':path': path,
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
  };
}
