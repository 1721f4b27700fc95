import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GatewayError } from '../errors.ts';
import { closePayload } from '../frames/close.ts';
import { BINARY, CLOSE } from '../frames/opcodes.ts';
import { frame } from '../frames/writer.ts';
import type { ConnectionInfo, RequestHead } from '../http/parse.ts';
import type { HeaderField } from '../http/request.ts';
import { linger } from '../stream/linger.ts';
import type { Connections } from './connections.ts';
import { writeRefusal } from './refusal.ts';
import { switchingHead } from './switching.ts';

/**
 * An upgrade that is being decided. Who is given one calls `accept`, `refuse` or `refuseByClose` in the end, one of them
 * and once; it never sees which version of HTTP brought it.
 */
export interface PendingUpgrade {
  readonly head: RequestHead;
  readonly connection: ConnectionInfo;
  /** Aborts when the client leaves (FIN, reset or destroyed), when its time is up, and when it is dismissed. */
  readonly signal: AbortSignal;
  /** The client has left. */
  readonly gone: boolean;
  /** All that came behind the handshake: complete once `accept` has been called. */
  readonly early: Buffer;
  /** Allows so many milliseconds from now on until the decision. Call it once. */
  allow(ms: number): void;
  /** Nobody waits for the decision any more: `signal` aborts, and a client that is heard is refused with the error. */
  dismiss(error: GatewayError): void;
  /** Answers 100 (Continue) ahead of the decision, to a client that expects it (RFC 9110 §10.1.1). */
  proceed(): void;
  /**
   * Answers that the protocol is switched, and hands over the client, paused and watched by nobody. `head` has been
   * checked by then (parseUpgrade). Throws if a field cannot be sent; it is still pending then.
   */
  accept(protocol: string | undefined, fields: readonly HeaderField[]): Duplex;
  /** Behind `accept`: the client alone is waited for, and its connection gives way to newcomers, as one that is silent does. */
  rest(): void;
  /** It is not any more. Throws GATEWAY_FULL if there is no room for what is under way, and CLIENT_LOST. */
  resume(): void;
  /** Answers with the status of an error, and `more` fields (names in lower case). A client that cannot be written to any more is let go without. */
  refuse(error: GatewayError, more?: Readonly<Record<string, string>>): void;
  /**
   * Accepts, and closes at once with the error's code, for scripts to see; `protocol`, one of those offered, is named. Before
   * the Close goes a binary message, if there is one.
   */
  refuseByClose(error: GatewayError, protocol: string | undefined, message?: Buffer): void;
}

/** A client may not send frames before the 101 (RFC 6455 §4.1); a hasty one is read this far and then left waiting. */
const MAX_EARLY_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** What pending upgrades and requests over HTTP/1.1 have in common. */
export interface Http1Parts {
  readonly message: IncomingMessage;
  readonly connection: ConnectionInfo;
  readonly connections: Connections;
  /** Milliseconds for a refused client to read why. */
  readonly lingerMs: number;
}

/**
 * Watches its client from the moment Node hands it over, with no `error` listener of Node's: who accepted the socket has
 * given it one for life. A socket nobody reads tells nobody of its FIN, so it is read.
 */
export class Http1Upgrade implements PendingUpgrade {
  readonly head: RequestHead;
  readonly connection: ConnectionInfo;
  readonly #client: Socket;
  readonly #connections: Connections;
  readonly #lingerMs: number;
  // One controller and one plain timer: composed signals and AbortSignal.timeout cost a multiple, and outlive the upgrade.
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #left = false;
  readonly #chunks: Buffer[];
  #length: number;

  /** `early` is what Node has read behind the handshake. */
  constructor({ message, connection, connections, lingerMs }: Http1Parts, early: Buffer) {
    this.head = message;
    this.connection = connection;
    this.#client = message.socket;
    this.#connections = connections;
    this.#lingerMs = lingerMs;
    this.#chunks = [early];
    this.#length = early.length;
    // After an error comes `close`.
    this.#client.on('end', this.#onGone).on('close', this.#onGone);
    this.#client.on('data', this.#onData);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  get gone(): boolean {
    return this.#left || this.#client.destroyed;
  }
  get early(): Buffer {
    return this.#length === 0 ? NOTHING : Buffer.concat(this.#chunks);
  }

  allow(ms: number): void {
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  dismiss(): void {
    this.#controller.abort();
  }

  proceed(): void {
    if (this.#client.writable) this.#client.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  accept(protocol: string | undefined, fields: readonly HeaderField[]): Duplex {
    const answer = switchingHead(this.head.rawHeaders, protocol, fields);
    this.#stopWatching();
    this.#client.pause();
    this.#client.write(answer, 'latin1');
    return this.#client;
  }

  rest(): void {
    this.#connections.rest(this.#client, 'websocket');
  }

  resume(): void {
    this.#connections.resume(this.#client);
  }

  refuse(error: GatewayError, more?: Readonly<Record<string, string>>): void {
    this.#stopWatching();
    writeRefusal(this.#client, error, this.#lingerMs, more);
    this.#connections.rest(this.#client);
  }

  refuseByClose(error: GatewayError, protocol: string | undefined, message?: Buffer): void {
    if (!this.#client.writable) {
      this.refuse(error);
      return;
    }
    this.#stopWatching();
    const head = Buffer.from(switchingHead(this.head.rawHeaders, protocol, []), 'latin1');
    const said = message === undefined ? NOTHING : frame(BINARY, message);
    const close = frame(CLOSE, closePayload(error.close, error.message));
    this.#client.write(Buffer.concat([head, said, close]));
    void linger(this.#client, this.#lingerMs);
    this.#connections.rest(this.#client);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length > MAX_EARLY_BYTES) this.#client.pause();
  };

  readonly #onGone = (): void => {
    this.#left = true;
    this.#controller.abort();
  };

  #stopWatching(): void {
    clearTimeout(this.#timer);
    this.#client.off('data', this.#onData).off('end', this.#onGone).off('close', this.#onGone);
  }
}
