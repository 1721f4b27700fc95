import type { Duplex } from 'node:stream';
import type { LingerConfig } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Bridge, Dial, Ending, SessionHandle } from '../contract.ts';
import { keyOf, type LingerObserver, Parking } from '../parking.ts';
import type { Conversation } from './conversation.ts';
import { runPoll } from './engine.ts';
import { LingeringSession } from './lingering.ts';
import { compileResumeToken, type ResumeToken } from './resume-token.ts';
import { runVisit } from './visit.ts';

/** Carries the messages of an opened session; as `runPoll` does. */
export type RunSession = (
  conversation: Conversation,
  client: Duplex,
  head: Buffer,
  session: SessionHandle,
) => Promise<Ending>;

/** Opens a session with the service, as the bridge's dial does; unless given, `run` is `runPoll`. */
export type Begin = (request: AdmittedRequest, signal: AbortSignal, run?: RunSession) => Promise<Bridge>;

export interface ResumingParts {
  readonly begin: Begin;
  readonly observer?: LingerObserver | undefined;
}

/** The way into sessions of one route that outlive their clients, and back. */
export class Resuming {
  readonly #parts: ResumingParts;
  readonly #config: LingerConfig;
  readonly #closeMs: number;
  readonly #readToken: ReturnType<typeof compileResumeToken>;
  readonly #parking: Parking<LingeringSession>;

  constructor(config: LingerConfig, { name, timeouts }: RouteConfig, parts: ResumingParts) {
    this.#parts = parts;
    this.#config = config;
    this.#closeMs = timeouts.close;
    this.#readToken = compileResumeToken(config.token);
    this.#parking = new Parking({ max: config.max, route: name, observer: parts.observer });
  }

  /**
   * A handshake with a resume token that is new begins a session, a later one of the same client goes on with it. Rejects as
   * `begin` does, with BAD_REQUEST for a token that is none, and with RESUME_GONE where a client has received messages of a
   * session that it cannot go on with.
   */
  readonly dial: Dial = async (admitted, signal) => {
    const { request, token } = this.#readToken(admitted);
    if (token === undefined) return this.#parts.begin(request, signal);
    const key = keyOf(request, token.secret);
    const lingering = this.#parking.find(key);
    if (lingering !== undefined) return this.#resume(request, lingering, token);
    if (!token.received) return this.#begin(request, key, signal);
    throw this.#gone('there is none');
  };

  /** Ends the sessions that have no client. Resolves when all are over. Never rejects. */
  close(): Promise<void> {
    return this.#parking.close();
  }

  async #begin(request: AdmittedRequest, key: string, signal: AbortSignal): Promise<Bridge> {
    const bridge = await this.#parts.begin(request, signal, (conversation, ...connection) => {
      if (conversation.profile.endsWithClient) return runPoll(conversation, ...connection);
      const lingering = this.#open(conversation, bridge.target, protocol);
      void lingering.over.then(this.#parking.enter(key, lingering));
      return runVisit(lingering, undefined, ...connection);
    });
    const protocol = bridge.accept.protocol ?? this.#harmlessAnswer(request);
    return { ...bridge, accept: { ...bridge.accept, protocol } };
  }

  #open(conversation: Conversation, target: string, protocol: string | undefined): LingeringSession {
    const parking = this.#parking;
    return new LingeringSession({
      conversation,
      target,
      protocol,
      forMs: this.#config.for,
      closeMs: this.#closeMs,
      park: () => parking.park(),
      onOver: (outcome) => parking.became(outcome),
    });
  }

  #resume(request: AdmittedRequest, lingering: LingeringSession, { received }: ResumeToken): Bridge {
    const { protocol, target, connection: connectionId, awayMs } = lingering;
    if (protocol !== undefined && !request.protocols.includes(protocol))
      throw this.#gone('it speaks a subprotocol that is not offered');
    if (!lingering.canResume(received))
      throw this.#gone('what the client has received is not what it was sent');
    const parking = this.#parking;
    return {
      target,
      accept: { protocol },
      resumes: { connectionId, awayMs },
      run(...connection) {
        parking.became(lingering.hasClient ? 'taken_over' : 'resumed');
        return runVisit(lingering, received, ...connection);
      },
      abandon() {},
    };
  }

  /** Browsers fail a connection whose 101 names none of the subprotocols they offered; the token is never named. */
  #harmlessAnswer({ protocols }: AdmittedRequest): string | undefined {
    return this.#config.token.from === 'subprotocol' ? protocols[0] : undefined;
  }

  #gone(detail: string): GatewayError {
    this.#parking.became('gone');
    return new GatewayError('RESUME_GONE', { detail });
  }
}
