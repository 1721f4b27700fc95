import type { Socket } from 'node:net';
import { GatewayError } from '../../errors.ts';

/** What a service may say before TLS. */
const MAX_BYTES = 16 * 1024;

/**
 * A conversation with a service in plain text, a step at a time, before TLS begins. Each step rejects with a GatewayError:
 * UPSTREAM_TIMEOUT when `signal` aborts, UPSTREAM_REFUSED when the service leaves, UPSTREAM_INVALID when it says too much.
 */
export class Dialogue {
  readonly #socket: Socket;
  readonly #signal: AbortSignal;
  #heard: Buffer = Buffer.alloc(0);
  #said = 0;

  constructor(socket: Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#signal = signal;
  }

  say(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** Exactly so many bytes of what it says. */
  async bytes(count: number): Promise<Buffer> {
    while (this.#heard.length < count) await this.#hear();
    return this.#take(count);
  }

  /** A line of what it says, with its end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#heard.indexOf('\n');
      if (end >= 0) return this.#take(end + 1).toString('latin1');
      await this.#hear();
    }
  }

  /** Nothing may have been said beyond its steps: it would pass for something said over TLS (RFC 3207 §6, CVE-2011-0411). */
  end(): void {
    const rest = this.#socket.read() as Buffer | null;
    if (this.#heard.length > 0 || rest !== null) throw invalid('it has said more before TLS');
  }

  #take(count: number): Buffer {
    const taken = this.#heard.subarray(0, count);
    this.#heard = this.#heard.subarray(count);
    return taken;
  }

  async #hear(): Promise<void> {
    const chunk = await this.#read();
    this.#said += chunk.length;
    if (this.#said > MAX_BYTES) throw invalid(`it has said more than ${MAX_BYTES} bytes before TLS`);
    this.#heard = Buffer.concat([this.#heard, chunk]);
  }

  #read(): Promise<Buffer> {
    const socket = this.#socket;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const onAbort = () => settle(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'while asking for TLS' }));
      const onEnd = () =>
        settle(new GatewayError('UPSTREAM_REFUSED', { detail: 'closed while asking for TLS' }));
      function onReadable(): void {
        const chunk = socket.read() as Buffer | null;
        if (chunk !== null) settle(chunk);
      }
      function settle(outcome: Buffer | GatewayError): void {
        signal.removeEventListener('abort', onAbort);
        socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
        if (outcome instanceof GatewayError) reject(outcome);
        else resolve(outcome);
      }
      signal.addEventListener('abort', onAbort, { once: true });
      socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd);
      if (signal.aborted) onAbort();
      else if (socket.closed) onEnd();
      else onReadable();
    });
  }
}

/** The service has answered, and what it says is none of its protocol. */
export function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail: `asking for TLS: ${detail}` });
}

/** The service has answered, and speaks no TLS. */
export function withoutTls(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_REFUSED', { detail: `the service speaks no TLS: ${detail}` });
}
