import type { Duplex } from 'node:stream';
import { asGatewayError, GatewayError } from '../../errors.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { endingOf } from '../ending.ts';
import { type Clock, createBackoff } from './backoff.ts';
import { type ClientSide, serveClient } from './client.ts';
import { createOutbox } from './outbox.ts';
import { keepPolling } from './polling.ts';
import type { Profile } from './profile.ts';
import { keepSending } from './sending.ts';
import type { SessionClient } from './session-client.ts';

/** An opened session with an HTTP service. */
export interface Conversation {
  readonly exchange: SessionClient;
  readonly profile: Profile;
  /** Names the session to the service. */
  readonly connection: string;
  /** Bytes of client messages that may wait to be sent. */
  readonly queueSize: number;
  /** Milliseconds of failure after which the service is given up; undefined: never. */
  readonly outageMs: number | undefined;
  readonly clock: Clock;
}

/**
 * Carries messages between a client and an opened session: a poll loop down, an ordered send loop up, whichever ends
 * first ending the other. Messages taken from the client are still sent (for `stallMs` if the client left, for
 * `closeMs` otherwise), then the service is told of the end. Never rejects.
 */
export async function runPoll(
  conversation: Conversation,
  socket: Duplex,
  head: Buffer,
  session: SessionHandle,
): Promise<Ending> {
  const { profile, queueSize, outageMs, clock } = conversation;
  const polls = new AbortController();
  const sends = new AbortController();
  const last = new AbortController();
  let end = (_: Ending): void => {};
  const ended = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  const outbox = createOutbox(queueSize, { onFull: () => client.hold(), onRoom: () => client.release() });
  const client: ClientSide = serveClient(socket, head, session, { onMessage: outbox.push, onEnd: end });
  session.attach({
    ping: client.ping,
    silent: () => (client.silent() ? 'client' : undefined),
    close: end,
    destroy() {
      end(endingOf(new GatewayError('GOING_AWAY')));
      for (const controller of [polls, sends, last]) controller.abort();
      client.destroy();
    },
  });

  function onFailure(error: unknown): void {
    const failure = asGatewayError(error);
    end(endingOf(failure, culpritOf(failure)));
  }
  const backoff = () => createBackoff(outageMs, clock);
  const { deliver } = client;
  const polling = keepPolling({ ...conversation, deliver, backoff: backoff() }, polls.signal);
  const sending = keepSending({ ...conversation, backoff: backoff() }, outbox, sends.signal);
  const loops = [polling.catch(onFailure), sending.catch(onFailure)];

  const ending = await ended;
  polls.abort();
  outbox.end();
  client.close(ending);
  const limit = setTimeout(() => sends.abort(), graceMs(ending, session));
  await Promise.all([client.closed, ...loops]);
  clearTimeout(limit);
  await closeSession(conversation.exchange, profile, session.closeMs, last.signal);
  return ending;
}

/** How long messages already taken may still be sent; with a service that has failed there is nothing to wait for. */
function graceMs({ by }: Ending, session: SessionHandle): number {
  if (by === 'upstream') return 0;
  return by === 'client' ? session.stallMs : session.closeMs;
}

/** Tells the service that the session is over: once, and without caring for the answer. */
export async function closeSession(
  exchange: SessionClient,
  profile: Profile,
  timeoutMs: number,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const request = profile.close();
  if (request === undefined) return;
  try {
    await exchange(request, { signal, timeoutMs, bodySize: 'ignored' });
  } catch {
    // The service has its own time limits for sessions that fall silent.
  }
}

/** Whose doing the end of a loop was: the service's, unless the client sent what no one takes or we failed. */
function culpritOf({ code }: GatewayError): Ending['by'] {
  return code === 'UNSUPPORTED_DATA' || code === 'INTERNAL' ? 'gateway' : 'upstream';
}
