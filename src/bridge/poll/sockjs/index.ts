import { randomUUID } from 'node:crypto';
import type { SockjsConfig } from '../../../config/poll/index.ts';
import { GatewayError } from '../../../errors.ts';
import { NORMAL } from '../../../frames/close.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import {
  type Batch,
  type Message,
  NOTHING,
  type Opening,
  type Polls,
  type Profile,
  type ProfileFactory,
  type Sends,
  type ServiceEnd,
} from '../profile.ts';
import { bytesIn, fitting, text, wrongAnswer, wrongHandshake } from '../wire.ts';
import { closeIn, framesIn, HEARTBEAT, OPEN, textAsIs, textsIn, textsOfFrame } from './frames.ts';

/** What browsers send. */
const TEXT = { 'content-type': 'text/plain;charset=UTF-8' };
/** Services limit bodies as they like; this is below what any of them refuses. */
const BATCH_BYTES = 64 * 1024;
/** Services forget a session that is not polled for 5 s (disconnect_delay): an answer this late is followed at once. */
const HELD_MS = 4_000;
/** A session's place, `/SERVER/SESSION/websocket`, or that of a WebSocket without frames, `/websocket`. */
const PLACE = /(?:\/(\d{1,3})\/[^/]+)?\/websocket$/;

/** SockJS 0.3: its client speaks the WebSocket transport, or a bare WebSocket; its service is polled by xhr. */
export function compileSockjs(config: SockjsConfig): ProfileFactory {
  return { opens: true, create: (request) => new SockjsProfile(config, request) };
}

/** What the client is told of the session; a bare WebSocket has texts alone. */
interface Dialect {
  readonly opening: readonly Message[];
  readonly heartbeat: readonly Message[];
  messages(frame: string): Message[];
  last(frame: string): { readonly messages: readonly Message[]; readonly end: ServiceEnd };
  textsOf(message: Message): string;
}

const FRAMED: Dialect = {
  opening: [text(OPEN)],
  heartbeat: [text(HEARTBEAT)],
  messages: (frame) => [text(frame)],
  last: (frame) => ({ messages: [text(frame)], end: { code: NORMAL, reason: 'Normal closure' } }),
  textsOf: textsOfFrame,
};

const BARE: Dialect = {
  opening: [],
  heartbeat: [],
  messages: (frame) => textsIn(frame).map(text),
  last: (frame) => ({ messages: [], end: closeIn(frame) }),
  textsOf: textAsIs,
};

/**
 * A session dies with a poll whose answer is lost, and the next poll would begin another under its name: nothing is
 * repeated. Its name is ours, so that nobody can take part in the session of another; its server is the client's, for
 * balancers that go by it.
 */
class SockjsProfile implements Profile {
  readonly answerSize: number;
  readonly codes: Profile['codes'];
  readonly receives: Polls;
  readonly sends: Sends;
  readonly endsWithClient: boolean;
  readonly #config: SockjsConfig;
  readonly #query: string;
  readonly #place: RegExpExecArray | null;
  readonly #session = randomUUID().replaceAll('-', '');
  readonly #dialect: Dialect;

  constructor(config: SockjsConfig, { path, query }: AdmittedRequest) {
    this.answerSize = config.responseSize;
    this.codes = config.codes;
    this.#config = config;
    this.#query = query ?? '';
    this.#place = PLACE.exec(path);
    this.#dialect = this.#place?.[1] === undefined ? BARE : FRAMED;
    // A client of frames waits for the one that opens a session.
    this.endsWithClient = this.#dialect === FRAMED;
    this.receives = this.#receives();
    this.sends = this.#sends();
  }

  open(): HttpRequest {
    if (this.#place !== null) return this.#post('xhr');
    throw wrongHandshake(
      'SockJS is spoken here by its WebSocket transport only: …/SERVER/SESSION/websocket.',
    );
  }

  opened({ body }: HttpAnswer): Opening {
    const [first, ...others] = framesIn(body);
    if (first === OPEN && others.length === 0) return { messages: this.#dialect.opening };
    throw wrongAnswer('a SockJS session does not begin with an open frame');
  }

  /** The service learns it from the poll that is given up. */
  close(): undefined {}

  #receives(): Polls {
    const { heartbeat, margin, responseSize } = this.#config;
    const holdMs = Math.min(heartbeat, HELD_MS);
    return {
      mode: 'answers',
      holdMs,
      marginMs: heartbeat + margin - holdMs,
      answerSize: responseSize,
      repeats: false,
      poll: () => this.open(),
      polled: ({ body }) => this.#batchOf(framesIn(body)),
    };
  }

  #batchOf(frames: readonly string[]): Batch {
    const messages: Message[] = [];
    for (const frame of frames) {
      if (frame.startsWith('c')) {
        const last = this.#dialect.last(frame);
        return { ...NOTHING, messages: [...messages, ...last.messages], end: last.end };
      }
      messages.push(...this.#messagesOf(frame));
    }
    return { ...NOTHING, messages };
  }

  #messagesOf(frame: string): readonly Message[] {
    if (frame === HEARTBEAT) return this.#dialect.heartbeat;
    if (frame.startsWith('a')) return this.#dialect.messages(frame);
    if (frame !== OPEN) throw wrongAnswer('an answer holds what is no SockJS frame');
    throw new GatewayError('UPSTREAM_LOST', { detail: 'the service has begun another SockJS session' });
  }

  #sends(): Sends {
    const { textsOf } = this.#dialect;
    return {
      timeoutMs: this.#config.timeout,
      answerSize: 'ignored',
      resends: false,
      concurrency: 1,
      inOrder: true,
      batch: (waiting) => fitting(waiting, BATCH_BYTES, (message) => bytesIn(message).length),
      send: (messages) => {
        const texts = messages.map(textsOf).filter((list) => list !== '');
        return { ...this.#post('xhr_send'), headers: TEXT, body: `[${texts.join()}]` };
      },
    };
  }

  #post(what: string): HttpRequest {
    const server = this.#place?.[1] ?? '000';
    const prefix = this.#config.path.replace(/\/$/, '');
    const path = `${prefix}/${server}/${this.#session}/${what}`;
    return { method: 'POST', path: withQuery(path, this.#query), headers: {} };
  }
}
