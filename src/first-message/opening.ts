import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { challenge } from '../admission/token/challenge.ts';
import { GatewayError } from '../errors.ts';
import { closePayload } from '../frames/close.ts';
import { BINARY, CLOSE, TEXT } from '../frames/opcodes.ts';
import { frame } from '../frames/writer.ts';
import type { HeaderField, UpgradeRequest } from '../http/request.ts';
import type { PendingUpgrade } from '../listener/pending-upgrade.ts';
import type { Form } from './forms/form.ts';
import { type Heard, hear, type ListeningLimits } from './listening.ts';
import { WaitingClient } from './waiting-client.ts';

/** What a route does with first messages. */
export interface FirstMessagePlan {
  readonly form: Form;
  readonly limits: ListeningLimits;
  /** Milliseconds a refused client has to leave. */
  readonly closeMs: number;
  /** Whether the upstream gets the message as it came, without its token, or none of it. */
  readonly passes: 'whole' | 'bare' | 'nothing';
  /** Why this client cannot wait with its token; undefined: it can. */
  unfit(request: UpgradeRequest): string | undefined;
  /** The subprotocol of the 101. Throws PROTOCOL_UNKNOWN. */
  readonly protocolFor: (request: UpgradeRequest) => string | undefined;
}

/**
 * An upgrade whose client may show its token in its first message. It is the pending upgrade that it was until somebody asks for the
 * tokens; from then on what is accepted has been accepted, and what is refused is closed.
 *
 *     pending ─ tokens ─► waiting (the 101 is out) ─ the message ─► heard ─► accepted | refused
 */
export class Opening implements PendingUpgrade {
  readonly #pending: PendingUpgrade;
  readonly #plan: FirstMessagePlan;
  readonly #request: UpgradeRequest;
  /** Once the 101 is out. */
  #client: WaitingClient | undefined;
  #protocol: string | undefined;
  #heard: Heard | undefined;

  constructor(pending: PendingUpgrade, request: UpgradeRequest, plan: FirstMessagePlan) {
    this.#pending = pending;
    this.#request = request;
    this.#plan = plan;
  }

  get head() {
    return this.#pending.head;
  }
  get connection() {
    return this.#pending.connection;
  }
  get signal(): AbortSignal {
    return (this.#client ?? this.#pending).signal;
  }
  get gone(): boolean {
    return (this.#client ?? this.#pending).gone;
  }
  /** What the bridge is to read first: the message as far as it goes on, and all behind it. */
  get early(): Buffer {
    if (this.#client === undefined) return this.#pending.early;
    return Buffer.concat([this.#passed(), this.#client.early]);
  }
  /** The 101 is out. */
  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /**
   * Accepts, and waits for the client's first message. Resolves with all that stands in it where tokens do. Rejects with TOKEN_MISSING,
   * before the 101 for a client that cannot wait with its token; else as `hear` does, and with GATEWAY_FULL.
   */
  async tokens(): Promise<readonly string[]> {
    const { form, limits } = this.#plan;
    const unfit = this.#plan.unfit(this.#request);
    if (unfit !== undefined) throw challenge('TOKEN_MISSING', this.#request.host, { detail: unfit });
    const client = this.#accept();
    if (form.greeting) client.write(frame(TEXT, Buffer.from(form.greeting.say())));
    // Nothing is known of the client yet: who says nothing must keep nobody out.
    this.rest();
    this.#heard = await hear(client, form, limits);
    this.resume();
    // The upstream has a time of its own: that a client is slow is none of its doing.
    client.allow(limits.withinMs);
    return this.#heard.reading.tokens.map((text) => text.replace(/^bearer +/i, ''));
  }

  dismiss(error: GatewayError): void {
    (this.#client ?? this.#pending).dismiss(error);
  }

  /** What the upstream is asked for: what the client has been told already, and nothing that it could only have been told in the 101. */
  asked(): UpgradeRequest {
    const protocols = this.#protocol === undefined ? [] : [this.#protocol];
    const greeting = this.#plan.form.greeting;
    const greeted = greeting && ((text: string) => greeting.heard(text));
    return { ...this.#request, protocols, deflateOffer: undefined, greeted };
  }

  allow(ms: number): void {
    this.#pending.allow(ms);
  }

  proceed(): void {
    this.#pending.proceed();
  }

  /** Throws UPSTREAM_INVALID for another subprotocol than the client has been told. */
  accept(protocol: string | undefined, fields: readonly HeaderField[]): Duplex {
    if (this.#client === undefined) return this.#pending.accept(protocol, fields);
    if (protocol === this.#protocol) return this.#client.release();
    const detail = `it speaks ${protocol ?? 'no subprotocol'}, and the client has been told ${this.#protocol ?? 'none'}`;
    throw new GatewayError('UPSTREAM_INVALID', { detail, isAnswer: true });
  }

  rest(): void {
    this.#pending.rest();
  }

  resume(): void {
    this.#pending.resume();
  }

  refuse(error: GatewayError, more?: Readonly<Record<string, string>>): void {
    if (this.#client === undefined) {
      this.#pending.refuse(error, more);
      return;
    }
    this.#client.close(this.#lastWords(error), this.#plan.closeMs);
    this.rest();
  }

  refuseByClose(error: GatewayError, protocol: string | undefined, message?: Buffer): void {
    if (this.#client === undefined) this.#pending.refuseByClose(error, protocol, message);
    else this.refuse(error);
  }

  #accept(): WaitingClient {
    if (this.#pending.gone) throw new GatewayError('CLIENT_LOST');
    this.#protocol = this.#plan.protocolFor(this.#request);
    const socket = this.#pending.accept(this.#protocol, []);
    this.#client = new WaitingClient(socket, this.#pending.early);
    return this.#client;
  }

  #passed(): Buffer {
    const { passes } = this.#plan;
    if (passes === 'nothing' || this.#heard === undefined) return Buffer.alloc(0);
    const { data, binary, reading } = this.#heard;
    // It goes on as the frame of a client, which nobody may foresee the masking of (RFC 6455 §5.3).
    return frame(binary ? BINARY : TEXT, passes === 'whole' ? data : reading.bare, randomInt(1, 2 ** 32));
  }

  #lastWords(error: GatewayError): Buffer {
    const close = frame(CLOSE, closePayload(error.close, error.message));
    const word = this.#heard?.reading.refusal?.(error);
    if (word === undefined) return close;
    return Buffer.concat([frame(this.#heard?.binary ? BINARY : TEXT, word), close]);
  }
}
