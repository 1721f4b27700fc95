import type { WebSocketOverHttpConfig } from '../../../config/poll/index.ts';
import { cgiSpelling, headerClass, nominatedFields } from '../../../http/header-classes.ts';
import type { HeaderField } from '../../../http/request.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Ending } from '../../contract.ts';
import {
  type Batch,
  type Message,
  NOTHING,
  type Opening,
  type Profile,
  type ProfileFactory,
  type Sends,
  type ServiceEnd,
  type SessionControls,
} from '../profile.ts';
import { chosenProtocol } from '../subprotocol.ts';
import { fitting } from '../wire.ts';
import { Alarm } from './alarm.ts';
import { acceptedOf, eventsOf, gripPrefixOf, type Heard, hear, keepAliveOf } from './answers.ts';
import { Backlog } from './backlog.ts';
import { invalid, type SocketEvent } from './events.ts';
import { goodbyeOf } from './goodbye.ts';
import { Grip } from './grip.ts';
import { Meta } from './meta.ts';
import { compileRequests, type RequestWriter } from './requests.ts';

/**
 * WebSocket-over-HTTP with GRIP, as Pushpin and Fanout speak it: all that happens to a WebSocket is an event, events are
 * POSTed as they come, and the answer holds the service's own. A service that answers nothing reaches its clients by
 * channels it has subscribed them to.
 */
export function compileWebSocketOverHttp(config: WebSocketOverHttpConfig): ProfileFactory {
  const requestsOf = compileRequests(config);
  return {
    opens: true,
    create: (request) => new WebSocketOverHttp(config, request, requestsOf(request)),
  };
}

const TO_GATEWAY = /^(?:content-|set-meta-|grip-|keep-alive-interval$|accept-)/;

class WebSocketOverHttp implements Profile {
  readonly isNamed = true;
  readonly answerSize: number;
  readonly sends: Sends;
  readonly #config: WebSocketOverHttpConfig;
  readonly #request: AdmittedRequest;
  readonly #write: RequestWriter;
  readonly #meta = new Meta();
  readonly #backlog = new Backlog();
  readonly #keepAlive = new Alarm(() => this.#session?.nudge());
  #grip: Grip | undefined;
  #session: SessionControls | undefined;
  /** What the service has said to the OPEN already. */
  #early: ServiceEnd | undefined;

  constructor(config: WebSocketOverHttpConfig, request: AdmittedRequest, write: RequestWriter) {
    this.#config = config;
    this.#request = request;
    this.#write = write;
    this.answerSize = config.responseSize;
    this.sends = {
      timeoutMs: config.timeout,
      answerSize: config.responseSize,
      resends: config.retry === 'idempotent',
      concurrency: 1,
      inOrder: true,
      batch: (waiting) => this.#countOf(waiting),
      send: (messages) => this.#send(messages),
      sent: (answer) => this.#sent(answer),
    };
  }

  open(): HttpRequest {
    return this.#write([{ type: 'OPEN' }], this.#meta.fields());
  }

  opened(answer: HttpAnswer): Opening {
    const [first, ...events] = eventsOf(answer);
    const everyMs = this.#honoured(keepAliveOf(answer.headers) ?? 0);
    if (first === undefined && everyMs > 0) {
      this.#meta.take(answer.headers);
      return { againMs: everyMs };
    }
    if (first?.type !== 'OPEN') throw invalid('its first event is not OPEN');
    const prefix = gripPrefixOf(answer.headers);
    if (prefix !== undefined) this.#grip = new Grip(prefix);
    const { messages, end } = this.#hear(answer, events);
    this.#early = end;
    const protocol = chosenProtocol(answer, this.#request.protocols);
    return { protocol, messages, fields: acceptanceOf(answer) };
  }

  begin(session: SessionControls): void {
    this.#session = session;
    this.#grip?.begin(session);
    this.#keepAlive.start();
    if (this.#early !== undefined) session.end(this.#early);
  }

  finish(): void {
    this.#session = undefined;
    this.#keepAlive.stop();
    this.#grip?.finish();
  }

  close(ending?: Ending): HttpRequest | undefined {
    if (this.#grip?.isDetached) return undefined;
    const last = goodbyeOf(ending, this.#config);
    return this.#writeNext(last.type === 'CLOSE' ? [...this.#backlog.offer([]), last] : [last]);
  }

  /** A service that has not taken all it was sent gets that once more first. */
  #countOf(waiting: readonly Message[]): number {
    const { messages: most, size } = this.#config.batch;
    const room = size - this.#backlog.size;
    return Math.min(
      most,
      fitting(waiting, room, ({ data }) => data.length),
    );
  }

  #send(messages: readonly Message[]): HttpRequest | undefined {
    if (this.#grip?.isDetached) return undefined;
    this.#keepAlive.hold();
    return this.#writeNext(this.#backlog.offer(messages));
  }

  #writeNext(events: readonly SocketEvent[]): HttpRequest {
    const { size } = this.#backlog;
    const replayed: Record<string, string> = size > 0 ? { 'content-bytes-replayed': `${size}` } : {};
    return this.#write(events, { ...this.#meta.fields(), ...replayed });
  }

  #sent(answer: HttpAnswer): Batch {
    const events = eventsOf(answer);
    const offered = this.#backlog.offeredSize;
    this.#backlog.accept(acceptedOf(answer.headers, offered) ?? offered);
    return { ...NOTHING, ...this.#hear(answer, events) };
  }

  #hear({ headers }: HttpAnswer, events: readonly SocketEvent[]): Heard {
    this.#meta.take(headers);
    const heard = hear(events);
    const messages = this.#grip?.sift(heard.messages) ?? heard.messages;
    this.#rest(keepAliveOf(headers));
    return { ...heard, messages };
  }

  /** Until the service wants to be asked again. */
  #rest(everyMs: number | undefined): void {
    if (this.#grip?.isDetached) this.#keepAlive.set(0);
    else if (everyMs === undefined) this.#keepAlive.wind();
    else this.#keepAlive.set(this.#honoured(everyMs));
  }

  #honoured(everyMs: number): number {
    return everyMs === 0 ? 0 : Math.max(everyMs, this.#config.minKeepAlive);
  }
}

/** What of the answer to OPEN stands in the 101: not what is said to the gateway, or of one connection. */
function acceptanceOf({ headers }: HttpAnswer): HeaderField[] {
  const fields = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((text) => [name, text] as const),
  );
  const nominated = nominatedFields(fields);
  return fields.filter(
    ([name]) =>
      headerClass(name) === undefined && !nominated.has(cgiSpelling(name)) && !TO_GATEWAY.test(name),
  );
}
