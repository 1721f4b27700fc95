import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { CapsuleTypes } from '../../../capsules/types.ts';
import { NORMAL } from '../../../frames/close.ts';
import type { Overhear } from '../../../upstream/starttls/channel-binding.ts';
import { Closing } from '../../closing.ts';
import type { Ending, PeerName, SessionHandle } from '../../contract.ts';
import { BridgeLink } from '../../link.ts';
import { Gathered } from '../gathered.ts';
import { TcpEnd } from '../tcp-end.ts';
import { CapsuleClient } from './client.ts';

export interface CapsuleTunnelParts {
  readonly client: Duplex;
  /** What came behind the client's request. */
  readonly clientHead: Buffer;
  readonly upstream: Socket;
  /** Looks at what the service says, before the client does; absent: nobody. */
  readonly overhear?: Overhear | undefined;
  readonly types: CapsuleTypes;
}

/**
 * Joins a client that speaks connect-tcp to a TCP socket: each end's FIN becomes the other's, and so does an abrupt end. Resolves
 * with how the session ended once both are closed. Never rejects.
 */
export function capsuleTunnel(parts: CapsuleTunnelParts, session: SessionHandle): Promise<Ending> {
  const joined = new CapsuleTunnel(parts, session);
  joined.start(parts.clientHead);
  return joined.done;
}

class CapsuleTunnel {
  readonly #session: SessionHandle;
  readonly #closing: Closing;
  readonly #client: CapsuleClient;
  readonly #service: TcpEnd;
  /** What a chunk has for the service. */
  readonly #gathered = new Gathered();
  /** Who has finished first: the session ends well by them, if it does. */
  #first: PeerName | undefined;
  #isServiceDone = false;

  constructor({ client, upstream, overhear, types }: CapsuleTunnelParts, session: SessionHandle) {
    this.#session = session;
    const events = new Closing({ closeMs: session.closeMs, relaysClose: false });
    this.#closing = events;
    this.#client = new CapsuleClient({
      socket: client,
      session,
      types,
      events,
      onData: (bytes, from, to) => this.#onData(bytes, from, to),
      onChunk: () => this.#onChunk(),
    });
    this.#service = new TcpEnd({
      socket: upstream,
      session,
      take: (chunk) => this.#takeDown(chunk),
      overhear,
      beforeTold: () => this.#flushUp(),
      onFinished: () => this.#onServiceDone(),
      events,
    });
    this.#client.source.feed(this.#service.sink);
    this.#service.source.feed(this.#client.sink);
    events.join(this.#client, this.#service);
  }

  get done(): Promise<Ending> {
    return this.#closing.done;
  }

  start(clientHead: Buffer): void {
    this.#session.attach(new BridgeLink(this.#closing, [this.#client, this.#service]));
    this.#service.start();
    this.#client.start(clientHead);
  }

  #onData(bytes: Buffer, from: number, to: number): void {
    this.#session.up.bytes += to - from;
    this.#gathered.add(bytes, from, to);
  }

  #onChunk(): void {
    this.#flushUp();
    if (!this.#client.isFinal) return;
    this.#first ??= 'client';
    this.#service.finish(() => this.#goOn());
  }

  #flushUp(): void {
    const payload = this.#gathered.take();
    if (payload !== undefined && !this.#service.isTold) this.#service.sink.write(payload);
  }

  #takeDown(chunk: Buffer): number {
    this.#client.send(chunk);
    // The last of what it sent may have waited: it counts as taken once this has returned.
    if (this.#isServiceDone) queueMicrotask(() => this.#goOn());
    return chunk.length;
  }

  #onServiceDone(): void {
    this.#isServiceDone = true;
    this.#first ??= 'upstream';
    this.#goOn();
  }

  /** Says that the service has finished, once all it sent is on its way; and that all is over, once both have. */
  #goOn(): void {
    if (!this.#isServiceDone || !this.#service.source.isEmpty) return;
    this.#client.finish();
    if (this.#service.isThrough) this.#closing.begin(throughBy(this.#first ?? 'upstream'));
  }
}

/** Both directions have come to their ends. */
function throughBy(by: PeerName): Ending {
  const reason = by === 'upstream' ? 'The upstream closed the connection.' : '';
  return { code: NORMAL, reason, by, clean: true };
}
