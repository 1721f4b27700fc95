import { isUtf8 } from 'node:buffer';
import { claimReader } from '../../../admission/claims.ts';
import type { CloudEventsConfig } from '../../../config/poll/index.ts';
import { ABNORMAL } from '../../../frames/close.ts';
import type { HttpAnswer, HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Ending } from '../../contract.ts';
import type { Item } from '../channels.ts';
import { compileFraming } from '../generic/framing.ts';
import { scalarOf } from '../json.ts';
import {
  type Batch,
  type Message,
  NOTHING,
  type Opening,
  type Profile,
  type ProfileFactory,
  type Sends,
  type SessionControls,
} from '../profile.ts';
import { chosenProtocol } from '../subprotocol.ts';
import { closeFor } from '../verdict.ts';
import { connectBody, readConnectAnswer } from './connect.ts';
import { compileEvents, type EventContext, type EventWriter } from './events.ts';

/**
 * CloudEvents as Azure Web PubSub sends them to event handlers: what happens to a client is an event, `connect` and the
 * messages are answered, and `connected` and `disconnected` are told. Groups that the service puts a client into are
 * channels.
 */
export function compileCloudEvents(config: CloudEventsConfig): ProfileFactory {
  const events = compileEvents(config);
  return {
    opens: config.systemEvents.includes('connect'),
    create: (request) => new CloudEvents(config, request, events(request.connectionId)),
  };
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** A message that a handler fails is the end, as it is with Azure; nobody asks whether it was acted on. */
const FAILED: Readonly<Record<number, number>> = { 500: 1011 };

const readReply = compileFraming({ framing: 'body' });

class CloudEvents implements Profile {
  readonly answerSize: number;
  readonly codes: Readonly<Record<number, number>>;
  readonly sends: Sends;
  readonly #config: CloudEventsConfig;
  readonly #request: AdmittedRequest;
  readonly #write: EventWriter;
  #context: EventContext;
  #groups: readonly string[] = [];
  #undo: readonly (() => void)[] = [];
  /** What was asked last: one event waits for the other. */
  #isMessage = false;

  constructor(config: CloudEventsConfig, request: AdmittedRequest, write: EventWriter) {
    this.answerSize = config.responseSize;
    this.codes = { ...FAILED, ...config.codes };
    this.#config = config;
    this.#request = request;
    this.#write = write;
    this.#context = { userId: userOf(request, config.user) };
    this.sends = {
      timeoutMs: config.timeout,
      answerSize: config.responseSize,
      resends: config.retry === 'idempotent',
      concurrency: 1,
      inOrder: true,
      send: ([message]) => this.#send(message),
      sent: (answer) => (this.#isMessage ? this.#replied(answer) : NOTHING),
      refused: (answer) => this.#failed(answer),
      failed: (answer) => this.#failed(answer),
    };
  }

  open(): HttpRequest | undefined {
    return this.#tell('connect', () => connectBody(this.#request));
  }

  opened(answer: HttpAnswer): Opening {
    const { userId, subprotocol, groups } = readConnectAnswer(answer);
    const headers = { 'sec-websocket-protocol': subprotocol };
    const protocol = chosenProtocol({ ...answer, headers }, this.#request.protocols);
    this.#context = { userId: userId ?? this.#context.userId, subprotocol: protocol };
    this.#keepState(answer);
    this.#groups = groups;
    return { protocol };
  }

  begin(session: SessionControls): void {
    this.#undo = this.#groups.map((group) =>
      session.channels.subscribe(group, (item) => onPublished(item, session)),
    );
    if (this.#config.systemEvents.includes('connected')) session.nudge();
  }

  finish(): void {
    for (const undo of this.#undo) undo();
  }

  /** Where nobody has said why, the code has to do. */
  close({ code, reason }: Pick<Ending, 'code' | 'reason'> = LOST): HttpRequest | undefined {
    return this.#tell('disconnected', () => JSON.stringify({ reason: `${code} ${reason}`.trim() }));
  }

  #tell(name: CloudEventsConfig['systemEvents'][number], body: () => string): HttpRequest | undefined {
    if (!this.#config.systemEvents.includes(name)) return undefined;
    return this.#write({ type: `sys.${name}`, contentType: JSON_TYPE, body: body() }, this.#context);
  }

  /** Without a message it is `connected`, which goes before all of them. */
  #send(message: Message | undefined): HttpRequest {
    this.#isMessage = message !== undefined;
    if (message === undefined)
      return this.#write({ type: 'sys.connected', contentType: JSON_TYPE, body: '{}' }, this.#context);
    const contentType = message.binary ? 'application/octet-stream' : 'text/plain; charset=utf-8';
    return this.#write({ type: 'user.message', contentType, body: message.data }, this.#context);
  }

  #replied(answer: HttpAnswer): Batch {
    this.#keepState(answer);
    return { ...NOTHING, messages: readReply(answer).messages };
  }

  /** A handler that would not hear of `connected` ends nothing. */
  #failed(answer: HttpAnswer): Batch {
    if (!this.#isMessage) return NOTHING;
    const code = closeFor(answer.status, this.codes) ?? 1011;
    return { ...NOTHING, end: { code, reason: reasonIn(answer) } };
  }

  /** Only events that are answered may change it. */
  #keepState({ headers }: HttpAnswer): void {
    const state = headers['ce-connectionstate'];
    if (typeof state === 'string') this.#context = { ...this.#context, connectionState: state || undefined };
  }
}

/** Nobody has said why (RFC 6455 §7.1.5). */
const LOST = { code: ABNORMAL, reason: '' };

function userOf({ grant }: AdmittedRequest, claim: string | undefined): string | undefined {
  return claim === undefined ? grant.subject : scalarOf(claimReader(claim)(grant.claims));
}

/** What the handler has said, if it was words and no page. */
function reasonIn({ status, headers, body }: HttpAnswer): string {
  const isText = /^text\/plain\b/.test(headers['content-type'] ?? 'text/plain') && isUtf8(body);
  return (isText && body.toString().trim()) || `The service answered ${status} to a message.`;
}

async function onPublished(item: Item, session: SessionControls): Promise<boolean> {
  if (item.kind === 'message') return session.deliver([item.message]);
  if (item.kind === 'end') session.end(item.end);
  return item.kind === 'end';
}
