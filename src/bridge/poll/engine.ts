import type { Duplex } from 'node:stream';
import { GatewayError } from '../../errors.ts';
import { Closing, failed } from '../closing.ts';
import type { Ending, SessionHandle } from '../contract.ts';
import { BridgeLink } from '../link.ts';
import { PollClient } from './client.ts';
import type { Conversation } from './conversation.ts';
import { createPushes } from './pushes.ts';
import { PollService } from './service.ts';

/**
 * Carries messages between a client and an opened session with an HTTP service, whichever ends first ending the other.
 * Resolves with how it ended once the client's socket is closed and the service has been told. Never rejects.
 */
export function runPoll(
  conversation: Conversation,
  socket: Duplex,
  head: Buffer,
  session: SessionHandle,
): Promise<Ending> {
  const closing = new Closing({ closeMs: session.closeMs, relaysClose: false });
  const client = new PollClient({
    socket,
    session,
    events: closing,
    onMessage: (message) => service.push(message),
    onSilence: () => closing.begin(failed(new GatewayError('PEER_SILENT')), 'client'),
  });
  const { source } = client.peer;
  const service = new PollService({
    conversation,
    closing,
    pressure: { onFull: () => source.hold(), onRoom: () => source.release() },
    deliver: (messages) => client.deliver(messages),
    confirm: (signal) => client.confirm(signal),
  });
  closing.join(client.peer, service);
  const push = createPushes(conversation.queueSize, (messages) => service.deliver(messages));
  session.attach(new BridgeLink(closing, [client.peer, service], push));
  service.start();
  client.peer.start(head);
  return closing.done.then(function onDone(ending) {
    session.undelivered = service.undelivered;
    return ending;
  });
}
