import type { BayeuxConfig } from '../../../config/poll/index.ts';
import { withQuery } from '../../../http/query.ts';
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
} from '../profile.ts';
import { bytesIn, fitting, jsonToClient, jsonToService, text } from '../wire.ts';
import {
  type Bayeux,
  CONNECT,
  DISCONNECT,
  downward,
  fromClient,
  fromService,
  HANDSHAKE,
  upward,
} from './frames.ts';

const JSON_TEXT = { 'content-type': 'application/json;charset=UTF-8' };
const BATCH_BYTES = 64 * 1024;
const KNOWN_BYTES = 4 * 1024;

/** Bayeux: its client speaks the WebSocket transport, its service is asked as by one that polls. */
export function compileBayeux(config: BayeuxConfig): ProfileFactory {
  return { opens: false, create: (request) => new BayeuxProfile(config, request) };
}

/**
 * Polling is the client's own: each answer to its `/meta/connect` brings what there is, and is followed by the next. One
 * of these hangs; all else goes beside it.
 */
class BayeuxProfile implements Profile {
  readonly answerSize: number;
  readonly codes: Profile['codes'];
  readonly sends: Sends;
  readonly #path: string;
  /** Taken apart when it is known which way it goes; most are sent in the same moment. */
  #known: { readonly message: Message; readonly said: readonly Bayeux[] } | undefined;
  /** Of the client's session, while it has one. */
  #clientId: unknown;

  constructor({ path, timeout, responseSize, codes }: BayeuxConfig, { query }: AdmittedRequest) {
    this.#path = withQuery(path, query ?? '');
    this.answerSize = responseSize;
    this.codes = codes;
    this.sends = {
      timeoutMs: timeout,
      answerSize: responseSize,
      resends: false,
      concurrency: 1,
      inOrder: true,
      heldLane: 'connect',
      lane: (message) => (this.#asks(message) ? 'connect' : 'rest'),
      batch: (waiting) => fitting(waiting, BATCH_BYTES, (message) => bytesIn(message).length),
      send: (messages) => this.#send(messages),
      sent: (answer) => this.#sent(answer),
    };
  }

  open(): undefined {}

  opened(): Opening {
    return {};
  }

  /** Who goes without /meta/disconnect has left; whom we or the service cut off may come back to the session. */
  close(ending?: Ending): HttpRequest | undefined {
    if (this.#clientId === undefined || ending?.by !== 'client') return undefined;
    return this.#post([{ channel: DISCONNECT, clientId: this.#clientId }]);
  }

  /** It may hang: what is not Bayeux is for `send` to refuse. */
  #asks(message: Message): boolean {
    try {
      return this.#read(message).some(({ channel }) => channel === CONNECT);
    } catch {
      return false;
    }
  }

  #read(message: Message): readonly Bayeux[] {
    if (this.#known?.message === message) return this.#known.said;
    const said = fromClient(message);
    // Taken apart it is up to thirty times as large, and may wait: then it is read once more.
    this.#known = message.data.length > KNOWN_BYTES ? undefined : { message, said };
    return said;
  }

  #send(messages: readonly Message[]): HttpRequest {
    const said = messages.flatMap((message) => this.#read(message));
    for (const { channel, clientId } of said) {
      if (clientId !== undefined) this.#clientId = channel === DISCONNECT ? undefined : clientId;
    }
    return this.#post(said.map(upward));
  }

  #sent({ body }: HttpAnswer): Batch {
    const said = fromService(body).map(downward);
    const begun = said.find(({ channel, successful }) => channel === HANDSHAKE && successful === true);
    if (begun) this.#clientId = begun.clientId;
    return { ...NOTHING, messages: said.length > 0 ? [text(jsonToClient(said))] : [] };
  }

  #post(messages: readonly Bayeux[]): HttpRequest {
    return { method: 'POST', path: this.#path, headers: JSON_TEXT, body: jsonToService(messages) };
  }
}
