import { asGatewayError, type GatewayError } from '../../errors.ts';
import { type Closing, type End, failed } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { type Clock, createBackoff } from './backoff.ts';
import type { Channels } from './channels.ts';
import { createOutbox, type Outbox, type Pressure } from './outbox.ts';
import { keepPolling } from './polling.ts';
import type { Message, Profile } from './profile.ts';
import { keepSending } from './sending.ts';
import type { SessionClient } from './session-client.ts';

/** An opened session with an HTTP service. */
export interface Conversation {
  readonly http: SessionClient;
  readonly profile: Profile;
  /** Messages the service had when it opened the session. */
  readonly greeting: readonly Message[];
  /** Names the session to the service. */
  readonly connection: string;
  readonly channels: Channels;
  /** Bytes of client messages that may wait to be sent. */
  readonly queueSize: number;
  /** Milliseconds of failure after which the service is given up; undefined: never. */
  readonly outageMs: number | undefined;
  readonly clock: Clock;
}

export interface PollServiceParts {
  readonly conversation: Conversation;
  readonly session: SessionHandle;
  readonly closing: Closing;
  /** Holds the client back, and lets it go on. */
  readonly pressure: Pressure;
  readonly deliver: (messages: readonly Message[]) => Promise<boolean>;
}

/**
 * The service's side of a poll session: a loop of polls down, an ordered loop of sends up. When the session ends, what was
 * taken from the client is still sent as long as there is time, then the service is told.
 *
 *     open → told (no more polls, the last sends) → closed (it has been asked to close)
 */
export class PollService implements End {
  readonly name = 'upstream';
  readonly #parts: PollServiceParts;
  readonly #outbox: Outbox;
  readonly #polls = new AbortController();
  readonly #sends = new AbortController();
  readonly #goodbye = new AbortController();
  #sending: Promise<void> = Promise.resolve();
  isTold = false;
  isFinished = false;

  constructor(parts: PollServiceParts) {
    this.#parts = parts;
    this.#outbox = createOutbox(parts.conversation.queueSize, parts.pressure);
  }

  /** Begins to poll and to send. */
  start(): void {
    const { conversation, deliver } = this.#parts;
    const backoff = () => createBackoff(conversation.outageMs, conversation.clock);
    const onFailure = (thrown: unknown) => this.#onFailure(asGatewayError(thrown));
    const { receives: polls, sends } = conversation.profile;
    const sending = keepSending(
      { ...conversation, sends, deliver, backoff: backoff() },
      this.#outbox,
      this.#sends.signal,
    );
    if (polls?.mode === 'answers')
      void keepPolling({ ...conversation, polls, deliver, backoff: backoff() }, this.#polls.signal).catch(
        onFailure,
      );
    this.#sending = sending.catch(onFailure);
  }

  /** Takes a message of the client; those that come after the end are dropped. */
  push(message: Message): void {
    if (!this.isTold) this.#outbox.push(message);
  }

  tell({ by }: Ending): void {
    if (this.isTold) return;
    this.isTold = true;
    this.#polls.abort();
    this.#outbox.end();
    // With a service that has failed there is nothing to wait for.
    if (by === 'upstream') this.#sends.abort();
    void this.#finish();
  }

  limit(): void {}

  release(): void {
    this.#sends.abort();
  }

  destroy(): void {
    this.release();
    this.#goodbye.abort();
  }

  ping(): void {}

  silence(): undefined {
    return undefined;
  }

  bury(): void {}

  async #finish(): Promise<void> {
    const { conversation, session, closing } = this.#parts;
    // The last poll has been given up; what it had brought may wait for a client that does not read.
    await this.#sending;
    await closeSession(conversation.http, conversation.profile, session.closeMs, this.#goodbye.signal);
    this.isFinished = true;
    closing.onProgress();
    closing.onClosed(this);
  }

  #onFailure(error: GatewayError): void {
    this.#parts.closing.begin(failed(error, culpritOf(error)));
  }
}

/** Tells the service that the session is over: once, and without caring for the answer. Never rejects. */
export async function closeSession(
  http: SessionClient,
  profile: Profile,
  timeoutMs: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const request = profile.close();
  if (request === undefined) return;
  try {
    await http.exchange(request, { signal, timeoutMs, bodySize: 'ignored' });
  } catch {
    // The service has its own time limits for sessions that fall silent.
  }
}

/** Whose doing the end of a loop was: the service's, unless the client sent what no one takes or we failed. */
function culpritOf({ code }: GatewayError): Ending['by'] {
  return code === 'UNSUPPORTED_DATA' || code === 'INTERNAL' ? 'gateway' : 'upstream';
}
