import type { Duplex } from 'node:stream';
import type { LingerConfig } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import type { Bridge, Dial, Ending, SessionHandle } from '../contract.ts';
import type { Conversation } from './conversation.ts';
import { LingeringSession } from './lingering.ts';
import { keyOf, type LingerObserver, Parking } from './parking.ts';
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

/**
 * Opens the way back into sessions of a route that outlive their clients: a handshake with a resume token that is new begins
 * one, a later one of the same client goes on with it. The dial rejects as `begin` does, with BAD_REQUEST for a token
 * that is none, and with RESUME_GONE where a client has received messages of a session that it cannot go on with.
 */
export function openResuming(
  config: LingerConfig,
  route: RouteConfig,
  { begin, observer }: ResumingParts,
): { readonly dial: Dial; close(): Promise<void> } {
  const readToken = compileResumeToken(config.token);
  const parking = new Parking({ max: config.max, route: route.name, observer });
  const times = { forMs: config.for, closeMs: route.timeouts.close };
  const isOffered = config.token.from === 'subprotocol';

  /** Browsers fail a connection whose 101 names none of the subprotocols they offered. */
  function answered(request: AdmittedRequest, { accept }: Bridge): string | undefined {
    return accept.protocol ?? (isOffered ? request.protocols[0] : undefined);
  }

  async function first(request: AdmittedRequest, key: string, signal: AbortSignal): Promise<Bridge> {
    const bridge = await begin(request, signal, (conversation, ...connection) => {
      const lingering: LingeringSession = new LingeringSession({
        ...times,
        conversation,
        protocol,
        target: bridge.target,
        park: () => parking.park(),
        onOver(outcome, undelivered) {
          parking.became(outcome);
          parking.undelivered(undelivered);
        },
      });
      void lingering.over.then(parking.enter(key, lingering));
      return runVisit(lingering, undefined, ...connection);
    });
    const protocol = answered(request, bridge);
    return { ...bridge, accept: { ...bridge.accept, protocol } };
  }

  function again(request: AdmittedRequest, lingering: LingeringSession, token: ResumeToken): Bridge {
    const { protocol, target, connection: connectionId, awayMs, hasClient } = lingering;
    const isSpoken = protocol === undefined || request.protocols.includes(protocol);
    if (!isSpoken || !lingering.canResume(token.received)) {
      parking.became('gone');
      throw gone(isSpoken ? 'it has another number of messages' : 'it speaks another subprotocol');
    }
    return {
      target,
      accept: { protocol },
      resumes: { connectionId, awayMs },
      run(client, head, session) {
        parking.became(hasClient ? 'taken_over' : 'resumed');
        return runVisit(lingering, token.received, client, head, session);
      },
      abandon() {},
    };
  }

  return {
    async dial(admitted, signal) {
      const { request, token } = readToken(admitted);
      if (token === undefined) return begin(request, signal);
      const key = keyOf(request, token.secret);
      const lingering = parking.find(key);
      if (lingering !== undefined) return again(request, lingering, token);
      if (!token.received) return first(request, key, signal);
      parking.became('gone');
      throw gone('there is none');
    },
    close: () => parking.close(),
  };
}

function gone(detail: string): GatewayError {
  return new GatewayError('RESUME_GONE', { detail });
}
