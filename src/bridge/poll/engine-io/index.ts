import type { EngineIoConfig } from '../../../config/poll/index.ts';
import { GatewayError } from '../../../errors.ts';
import { NORMAL } from '../../../frames/close.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import {
  type Batch,
  NOTHING,
  type Opening,
  type Polls,
  type Profile,
  type ProfileFactory,
  type Sends,
} from '../profile.ts';
import { fitting, text, wrongAnswer } from '../wire.ts';
import { pollingQuery, readOpen, type Session } from './handshake.ts';
import { CLOSE, packetSize, packetsIn, readPackets, writePackets } from './packets.ts';

/** What browsers send, and the only type that services of version 4 take. */
const TEXT = { 'content-type': 'text/plain;charset=UTF-8' };

/** python-engineio refuses a post with more. */
const MAX_PACKETS = 16;

/** Engine.IO v4, and so Socket.IO: its client speaks the WebSocket transport, its service is polled. */
export function compileEngineIo(config: EngineIoConfig): ProfileFactory {
  return { opens: true, create: (request) => new EngineIoProfile(config, request) };
}

/**
 * A session dies with a poll whose answer is lost, and with two polls or two posts at a time: nothing is repeated. The
 * service's pings go to the client as they are, and the client's pongs to the service.
 */
class EngineIoProfile implements Profile {
  readonly answerSize: number;
  readonly codes: Profile['codes'];
  readonly #config: EngineIoConfig;
  readonly #request: AdmittedRequest;
  #session: Session | undefined;

  constructor(config: EngineIoConfig, request: AdmittedRequest) {
    this.answerSize = config.responseSize;
    this.codes = config.codes;
    this.#config = config;
    this.#request = request;
  }

  open(): HttpRequest {
    return { method: 'GET', path: this.#path(), headers: {} };
  }

  opened({ body }: HttpAnswer): Opening {
    const [first = '', ...others] = packetsIn(body);
    this.#session = readOpen(first);
    const { messages, isLast } = readPackets(others);
    if (isLast) throw wrongAnswer('an Engine.IO session ends as it begins');
    const { greeted } = this.#request;
    if (greeted === undefined) return { messages: [text(this.#session.open), ...messages] };
    greeted(first);
    return { messages };
  }

  get receives(): Polls {
    const { pingInterval, pingTimeout } = this.#opened;
    return {
      mode: 'answers',
      holdMs: pingInterval,
      marginMs: pingTimeout,
      answerSize: this.#config.responseSize,
      repeats: false,
      poll: () => this.open(),
      polled: readBatch,
    };
  }

  get sends(): Sends {
    const { maxPayload } = this.#opened;
    return {
      timeoutMs: this.#config.timeout,
      answerSize: 'ignored',
      resends: false,
      concurrency: 1,
      inOrder: true,
      batch: (waiting) => fitting(waiting.slice(0, MAX_PACKETS), maxPayload, packetSize),
      send: (messages) => this.#post(writePackets(messages)),
    };
  }

  close(): HttpRequest | undefined {
    return this.#session && this.#post(CLOSE);
  }

  get #opened(): Session {
    if (this.#session) return this.#session;
    throw new GatewayError('INTERNAL', { detail: 'an Engine.IO session is used before it is open' });
  }

  #post(body: string | Buffer): HttpRequest {
    return { method: 'POST', path: this.#path(), headers: TEXT, body };
  }

  #path(): string {
    const own = withQuery(this.#config.path, pollingQuery(this.#request.query));
    return this.#session ? `${own}&sid=${encodeURIComponent(this.#session.sid)}` : own;
  }
}

function readBatch({ body }: HttpAnswer): Batch {
  const { messages, isLast } = readPackets(packetsIn(body));
  return { ...NOTHING, messages, end: isLast ? { code: NORMAL, reason: '' } : undefined };
}
