import { setImmediate as nextTurn } from 'node:timers/promises';
import { asGatewayError, type GatewayError } from '../../errors.ts';
import { type Closing, type End, failed } from '../closing.ts';
import type { Ending } from '../contract.ts';
import { Backoff } from './backoff.ts';
import { concealEnd } from './concealment.ts';
import type { Conversation } from './conversation.ts';
import { Deliveries } from './deliveries.ts';
import type { Pressure } from './outbox.ts';
import { keepPolling } from './polling.ts';
import type { Batch, Message, Receipt, SessionControls } from './profile.ts';
import { sendReceipt } from './receipts.ts';
import { Sender } from './sending.ts';
import { keepStreaming } from './streaming.ts';

export interface PollServiceParts {
  readonly conversation: Conversation;
  readonly closing: Closing;
  /** Holds the client back, and lets it go on. */
  readonly pressure: Pressure;
  readonly deliver: (messages: readonly Message[]) => Promise<boolean>;
  /** Resolves with true when the client has what was delivered to it; with false when the signal aborts. */
  readonly confirm: (signal: AbortSignal) => Promise<boolean>;
  /** Resolves when the client has what was delivered, which may be away meanwhile. Absent: `deliver` resolves no sooner. */
  readonly settled?: () => Promise<void>;
}

/**
 * The service's side of a poll session: a loop that receives, requests that send, and one way for all of it to the client.
 * When the session ends, what was taken from the client is still sent as long as there is time, then the service is told.
 *
 *     open → told (nothing more is received, the last sends) → closed (the goodbye is on its way)
 */
export class PollService implements End {
  readonly name = 'upstream';
  readonly #parts: PollServiceParts;
  readonly #deliveries: Deliveries;
  readonly #receiving = new AbortController();
  #startedSender: Sender | undefined;
  /** Gives up the last receipt. */
  readonly #receipts = new AbortController();
  /** The last receipt, if there was one; resolves when nothing more comes of it. */
  #told: Promise<unknown> | undefined;
  isTold = false;
  isFinished = false;

  constructor(parts: PollServiceParts) {
    const { conversation, closing, deliver, confirm, settled } = parts;
    const { concealment } = conversation;
    this.#parts = parts;
    this.#deliveries = new Deliveries({
      deliver,
      settled,
      limit: conversation.queueSize,
      confirm: () => confirm(this.#receiving.signal),
      acknowledge: (receipt) => this.#acknowledge(receipt),
      onEnd: (end) => closing.onClose(this, concealEnd(end, concealment)),
    });
  }

  /** Messages of the client that the service has not accepted, as far as it is known. */
  get undelivered(): number {
    return this.#startedSender?.undelivered ?? 0;
  }

  /** Begins to receive and to send. */
  start(): void {
    const { greeting, profile } = this.#parts.conversation;
    if (greeting.length > 0) void this.#deliveries.offer(greeting);
    const onFailure = (thrown: unknown) => this.#onFailure(asGatewayError(thrown));
    try {
      profile.begin?.(this.#controls());
    } catch (thrown) {
      onFailure(thrown);
      return;
    }
    void this.#receive()?.catch(onFailure);
  }

  /** Takes a message of the client. */
  push(message: Message): void {
    this.#sender.push(message);
  }

  /** Delivers what came by another way. Resolves with false if there is no client any more. */
  deliver(messages: readonly Message[]): Promise<boolean> {
    return this.#deliveries.deliver(messages);
  }

  tell(ending: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    const { profile } = this.#parts.conversation;
    // With such a poll the session would end for the service before it has heard the last of the client.
    if (ending.by === 'upstream' || profile.receives?.repeats !== false) this.#receiving.abort();
    profile.finish?.();
    // With a service that has failed, or has said that it is through, there is nothing to wait for.
    if (ending.by === 'upstream') this.release();
    void this.#finish(ending);
  }

  limit(): void {}

  release(): void {
    this.#sender.stop();
    this.#receipts.abort();
  }

  destroy(): void {
    this.release();
  }

  ping(): void {}

  silence(): undefined {
    return undefined;
  }

  bury(): void {}

  /** Made when it is needed: many clients only listen, and each would keep it in memory. */
  get #sender(): Sender {
    this.#startedSender ??= this.#startSender();
    return this.#startedSender;
  }

  #startSender(): Sender {
    const { conversation, pressure } = this.#parts;
    const { sends, codes } = conversation.profile;
    return new Sender({
      ...conversation,
      sends,
      codes,
      pressure,
      backoff: () => this.#backoff(),
      take: (batch) => this.#deliveries.take(batch),
      onFailure: (thrown) => this.#onFailure(asGatewayError(thrown)),
    });
  }

  #controls(): SessionControls {
    const { connection, channels } = this.#parts.conversation;
    return {
      connection,
      channels,
      deliver: (messages) => this.#deliveries.offer(messages),
      end: (end) => void this.#deliveries.end(end),
      nudge: () => this.#sender.nudge(),
    };
  }

  /** Undefined where the service says nothing by itself. */
  #receive(): Promise<void> | undefined {
    const { http, clock, profile } = this.#parts.conversation;
    const { receives, codes, confirms } = profile;
    const { signal } = this.#receiving;
    if (receives === undefined) return undefined;
    const take = (batch: Batch) => this.#deliveries.take(batch, confirms);
    const common = { http, clock, codes, take };
    if (receives.mode === 'answers')
      return keepPolling({ ...common, receives, backoff: this.#backoff(receives.holdMs) }, signal);
    return keepStreaming({ ...common, receives, backoff: this.#backoff(receives.silenceMs) }, signal);
  }

  /** What the client has is also told at the end, as what it said is sent. */
  #acknowledge(receipt: Receipt): Promise<void> {
    const { http, profile } = this.#parts.conversation;
    const parts = { http, codes: profile.codes, backoff: () => this.#backoff() };
    const told = sendReceipt(receipt, parts, this.#receipts.signal);
    this.#told = told.catch(() => {});
    return told;
  }

  #backoff(holdMs?: number): Backoff {
    const { outageMs, clock } = this.#parts.conversation;
    return new Backoff({ outageMs, holdMs, clock });
  }

  async #finish(ending: Ending): Promise<void> {
    const { conversation, closing } = this.#parts;
    // What was received last is given up, or brings nothing more; it may wait for a client that does not read.
    await Promise.all([this.#sender.end(), this.#told]);
    // What was answered last is read first: it may say what the goodbye has to hold.
    await nextTurn();
    void conversation.sayGoodbye(ending).then(() => this.#receiving.abort());
    this.isFinished = true;
    closing.onProgress();
    closing.onClosed(this);
  }

  #onFailure(error: GatewayError): void {
    this.#parts.closing.begin(failed(error, culpritOf(error)));
  }
}

/** Whose doing the end of a loop was: the service's, unless the client sent what no one takes or we failed. */
function culpritOf({ code }: GatewayError): Ending['by'] {
  if (code === 'INVALID_PAYLOAD') return 'client';
  return code === 'UNSUPPORTED_DATA' || code === 'INTERNAL' ? 'gateway' : 'upstream';
}
