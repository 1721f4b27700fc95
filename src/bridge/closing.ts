import { type ErrorCode, GatewayError } from '../errors.ts';
import { ABNORMAL, type CloseStatus, GOING_AWAY } from '../frames/close.ts';
import type { Ending, PeerName } from './contract.ts';

/** One of the two ends of a bridge, as the end of a session needs it. */
export interface End {
  readonly name: PeerName;
  /** Says the ending to whoever is there, as soon as it may be said. Only the first call counts. */
  tell(ending: Ending): void;
  /** It has been told, or cannot be. */
  readonly isTold: boolean;
  /** Nothing more is expected of it: it has closed, is gone, or is not believed any more. */
  readonly isFinished: boolean;
  /** From now on at most `bytes` are read from it. */
  limit(bytes: number): void;
  /** Lets go of it: what was written still goes out, what comes is dropped until it closes too. */
  release(): void;
  /** Ends it now. */
  destroy(): void;
  /** Asks for a sign of life. */
  ping(): void;
  /** Milliseconds for which it has owed a sign of life at `now` (`performance.now()`); undefined if it owes none. */
  silence(now: number): number | undefined;
  /** Milliseconds that its last answer to a ping took, where it answers any. */
  readonly roundTripMs?: number | undefined;
  /** It is known not to answer: it is not waited for. */
  bury(): void;
}

/** What an end tells the machine that ends the session. */
export interface EndEvents {
  /** It closed in the way of its protocol; nothing more comes from it. */
  onClose(end: End, status: CloseStatus): void;
  /** It did what it must not do. */
  onFailure(end: End, error: GatewayError): void;
  /** It went without a word: FIN, reset or destroyed. */
  onLost(end: End): void;
  /** It has left our writes unread for too long, and is gone. */
  onStall(end: End): void;
  /** What was waited for has come about: something was said, or will never be. */
  onProgress(): void;
  /** Its socket is closed. */
  onClosed(end: End): void;
}

export interface ClosingOptions {
  /** Milliseconds from the first ending to both sockets gone. */
  readonly closeMs: number;
  /** Both ends speak WebSocket: whoever sent a Close gets the other one's answer to it, not ours. */
  readonly relaysClose: boolean;
}

/** The gateway ends these for reasons of its own: what the client sent before it hears of it still reaches the upstream. */
const GRACEFUL: ReadonlySet<ErrorCode> = new Set(['GOING_AWAY', 'IDLE', 'LIFETIME']);
/** Somebody's own doing, and said so in the log; all other failures are the gateway's decision. */
const BY_CLIENT: ReadonlySet<ErrorCode> = new Set(['CLIENT_LOST', 'PROTOCOL_ERROR', 'INVALID_PAYLOAD']);

/** Bytes read from anybody after the end: unread bytes would turn our FIN into a reset (RFC 1122 §4.2.2.13, RFC 9112 §9.6). */
const DRAIN_BYTES = 256 * 1024;
/** For whoever is cut off to read what it was told. */
export const LAST_READ_MS = 200;
/** After this part of the time nobody is waited for any more: all is said that has not been. */
const LAST_WORDS = 0.8;

/** The ending that a failure makes. */
export function failed(error: GatewayError, by: Ending['by'] = byOf(error)): Ending {
  return { code: error.close, reason: error.message, by, error, clean: GRACEFUL.has(error.code) };
}

/** The ending that somebody makes who goes without a word. */
function lost(name: PeerName): Ending {
  if (name === 'upstream') return failed(new GatewayError('UPSTREAM_LOST'));
  return { code: ABNORMAL, reason: '', by: 'client', clean: false };
}

function byOf({ code, source }: GatewayError): Ending['by'] {
  if (source === 'upstream') return 'upstream';
  return BY_CLIENT.has(code) ? 'client' : 'gateway';
}

/** What an end is told of an ending: never the fault of another as its own. */
export function wordFor(name: PeerName, { code, reason, error }: Ending): CloseStatus {
  if (error === undefined && code !== ABNORMAL) return { code, reason };
  const { close, message, source } = error ?? new GatewayError('CLIENT_LOST');
  return { code: name === 'upstream' && source === 'client' ? GOING_AWAY : close, reason: message };
}

/**
 * How a session ends, on every bridge: the first ending counts, each end is told once, and one deadline covers all of it.
 *
 *     open ──first ending──▶ closing ──both ends told and finished──▶ released ──both sockets closed──▶ closed
 *                               └──────── 80 % of closeMs: last words ─────┘ └── closeMs: destroyed ──┘
 *
 * | event                      | client is told         | upstream is told          | code, by             | clean |
 * |----------------------------|------------------------|---------------------------|----------------------|-------|
 * | client sends a Close       | the answer, or as sent | as sent; TCP: FIN or RST¹ | as sent, client      | yes   |
 * | upstream sends a Close/FIN | as sent; FIN: 1000 ³   | the answer; FIN           | as sent, upstream    | yes   |
 * | client vanishes            | –                      | 1001; TCP: RST            | 1006, client         | no    |
 * | upstream vanishes          | 1014                   | –                         | 1014, upstream       | no    |
 * | client breaks the protocol | 1002, 1007             | 1001; TCP: RST            | 1002, 1007, client   | no    |
 * | upstream breaks it         | 1014                   | 1002, 1007                | 1014, upstream       | no    |
 * | client exceeds a limit     | 1003, 1008, 1009       | 1001; TCP: RST            | the same, gateway    | no    |
 * | client stalls              | –                      | 1001; TCP: RST            | 1013, gateway        | no    |
 * | upstream stalls            | 1013                   | – ; TCP: RST              | 1013, gateway        | no    |
 * | client is silent           | 1001, not waited for   | 1001; TCP: RST            | 1001, gateway        | no    |
 * | upstream is silent         | 1014                   | 1014, not waited for      | 1014, upstream       | no    |
 * | the token expires          | 3000                   | 3000; TCP: RST            | 3000, gateway        | no    |
 * | another one takes over     | 4409                   | –, it goes on ²           | 4409, gateway        | no    |
 * | idle, lifetime, shutdown   | 1001                   | 1001 once the client has closed; TCP: RST | 1001, gateway | yes |
 *
 * ¹ FIN for 1000, 1001 and no code: the client has said that it is through. Every other end is a reset, be it clean, so that
 *   a TCP service never takes half for whole.
 *
 * ² Of a session that lingers. There the service hears nothing either of a client that vanishes, stalls or is silent, unless
 *   none comes back in time: then 1006.
 *
 * ³ A client that speaks sallyport.tcp.v1 is told it as FIN, which ends one direction, as its own does: 1000 once both are through.
 *   Every other end in this column is RESET before the Close to it. A connection that can be resumed outlives its client as in ².
 *
 * A client that speaks connect-tcp is told a FIN as FINAL_DATA, as in ³; every other end in its column is a reset.
 *
 * An HTTP service is told of every ending by the request that `close` describes, which nobody waits for. Its Close is what its
 * profile takes for one, and clean; a status that ends its session has the code that stands for it, an outage 1013, both of the
 * upstream and not clean.
 */
export class Closing implements EndEvents {
  readonly #options: ClosingOptions;
  readonly #resolve: (ending: Ending) => void;
  readonly #released: End[] = [];
  readonly #closed: End[] = [];
  #client!: End;
  #upstream!: End;
  #ends: readonly End[] = [];
  #ending: Ending | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when both ends are closed. Never rejects. */
  readonly done: Promise<Ending>;

  constructor(options: ClosingOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.done = promise;
    this.#resolve = resolve;
  }

  /** Names the two ends, which were made with this machine to hear them. */
  join(client: End, upstream: End): void {
    this.#client = client;
    this.#upstream = upstream;
    this.#ends = [client, upstream];
  }

  /** Ends the session, unless it is ending already; `silent` is the end that is known not to answer. */
  begin(ending: Ending, silent?: PeerName): void {
    if (silent !== undefined) this.#endNamed(silent).bury();
    if (this.#ending === undefined) this.#open(ending);
    this.#advance();
  }

  /** Ends both sockets now. */
  destroy(): void {
    if (this.#ending === undefined) this.begin(failed(new GatewayError('GOING_AWAY')));
    this.#client.destroy();
    this.#upstream.destroy();
  }

  onClose(end: End, { code, reason }: CloseStatus): void {
    this.begin({ code, reason, by: end.name, clean: true });
  }

  onFailure({ name }: End, error: GatewayError): void {
    const isOthers = name === 'upstream' && error.source === 'client';
    this.begin(failed(isOthers ? new GatewayError('UPSTREAM_INVALID', { detail: error.detail }) : error));
  }

  onLost({ name }: End): void {
    // As a rule a socket that is gone is the last act of an ending.
    if (this.#ending === undefined) this.#open(lost(name));
    this.#advance();
  }

  onStall({ name }: End): void {
    this.begin(failed(new GatewayError('PEER_STALLED', { detail: name })));
  }

  onProgress(): void {
    this.#advance();
  }

  onClosed(end: End): void {
    if (!this.#closed.includes(end)) this.#closed.push(end);
    if (this.#ending === undefined || this.#closed.length < 2) return;
    clearTimeout(this.#timer);
    this.#resolve(this.#ending);
  }

  #open(ending: Ending): void {
    this.#ending = ending;
    this.#timer = setTimeout(() => this.#sayLastWords(), this.#options.closeMs * LAST_WORDS);
    this.#upstream.limit(DRAIN_BYTES);
    if (!isGraceful(ending)) this.#client.limit(DRAIN_BYTES);
  }

  /** Tells and releases whoever it is time for. */
  #advance(): void {
    const ending = this.#ending;
    if (ending === undefined) return;
    for (const end of this.#ends) if (this.#mayTell(end, ending)) end.tell(ending);
    for (const end of this.#ends) if (end.isTold && end.isFinished) this.#release(end);
  }

  /** Where the two are told one after the other, the second one waits until nothing more comes from the first. */
  #mayTell(end: End, ending: Ending): boolean {
    const first = this.#firstToHear(ending);
    return first === undefined || first === end || first.isFinished;
  }

  #firstToHear(ending: Ending): End | undefined {
    // RFC 6455 §5.5.1 binds who has sent a Close, not who has yet to read it: what the client still sends counts.
    if (isGraceful(ending)) return this.#client;
    if (!this.#options.relaysClose || !ending.clean) return undefined;
    return ending.by === 'client' ? this.#upstream : this.#client;
  }

  /** Whoever waits for somebody else is told by us. */
  #sayLastWords(): void {
    const ending = this.#ending as Ending;
    for (const end of this.#ends) end.limit(DRAIN_BYTES);
    for (const end of this.#ends) end.tell(ending);
    for (const end of this.#ends) this.#release(end);
    this.#timer = setTimeout(() => this.destroy(), this.#options.closeMs * (1 - LAST_WORDS));
  }

  #release(end: End): void {
    if (this.#released.includes(end)) return;
    this.#released.push(end);
    end.limit(DRAIN_BYTES);
    end.release();
  }

  #endNamed(name: PeerName): End {
    return name === 'client' ? this.#client : this.#upstream;
  }
}

function isGraceful({ error }: Ending): boolean {
  return error !== undefined && GRACEFUL.has(error.code);
}
