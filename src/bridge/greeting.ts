import { GatewayError } from '../errors.ts';
import { CLOSE } from '../frames/opcodes.ts';
import { lost } from '../upstream/answer.ts';
import type { OpenedUpstream } from '../upstream/handshake.ts';
import { FirstMessages } from './first-messages.ts';

/** More than any service says before its client has said anything. */
const MOST_BYTES = 16 * 1024;
const OPTIONS = { masked: false, deflate: false, maxMessage: MOST_BYTES, maxFragments: MOST_BYTES };

/**
 * Waits for the first message of an upstream, a text, which is told to `heard` and taken out of what its client gets to see. Rejects with
 * what `heard` throws, UPSTREAM_INVALID for another message, UPSTREAM_LOST for a connection that ends, UPSTREAM_TIMEOUT when `signal`
 * aborts; the socket is destroyed then.
 */
export async function withoutGreeting(
  opened: OpenedUpstream,
  heard: (text: string) => void,
  signal: AbortSignal,
): Promise<OpenedUpstream> {
  try {
    return { ...opened, head: await behindGreeting(opened, heard, signal) };
  } catch (error) {
    opened.socket.destroy();
    throw error instanceof GatewayError && error.source === 'client'
      ? new GatewayError('UPSTREAM_INVALID', { detail: error.detail, cause: error })
      : error;
  }
}

/** Waits for it; resolves with what lies behind. The socket is left paused. */
function behindGreeting(
  { socket, head }: OpenedUpstream,
  heard: (text: string) => void,
  signal: AbortSignal,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const messages = listenFor(heard);
  function onData(chunk: Buffer): void {
    try {
      const rest = messages.push(chunk);
      if (rest === undefined) return;
      // At once: what comes next is not ours.
      leave();
      resolve(rest);
    } catch (error) {
      reject(error);
    }
  }
  const onLost = (cause?: unknown) => reject(lost(cause));
  const onEnd = () => onLost();
  const onAbort = () => reject(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'it did not begin to speak' }));
  function leave(): void {
    socket.pause();
    socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onLost);
    signal.removeEventListener('abort', onAbort);
  }
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  socket.on('end', onEnd).on('close', onEnd).on('error', onLost).on('data', onData);
  if (head.length > 0) socket.unshift(head);
  socket.resume();
  return promise.finally(leave);
}

function listenFor(heard: (text: string) => void): FirstMessages {
  return new FirstMessages(OPTIONS, {
    message({ data, binary }) {
      if (binary) throw new GatewayError('UPSTREAM_INVALID', { detail: 'its first message is binary' });
      heard(data.toString('utf8'));
      return true;
    },
    control(opcode) {
      if (opcode === CLOSE)
        throw new GatewayError('UPSTREAM_LOST', { detail: 'it closed before its first message' });
    },
  });
}
