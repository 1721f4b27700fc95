import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { GatewayError } from '../../errors.ts';
import { PING, PONG } from '../../frames/opcodes.ts';
import { FrameReader, PASS } from '../../frames/reader.ts';
import { frame } from '../../frames/writer.ts';
import { withQuery } from '../../http/query.ts';
import { NO_PROOF } from '../credentials.ts';
import type { Endpoint } from '../endpoint.ts';
import { type OpenedUpstream, openWebSocket } from '../handshake.ts';
import type { Pool } from '../pool.ts';
import type { Probe } from './probe.ts';

const PAYLOAD = Buffer.from('sallyport');

/** A WebSocket service is well if it shakes hands, with the right Accept, and answers a ping (RFC 6455 §5.5.3). */
export const probeWebSocket: Probe = async function probeWebSocket(pool, endpoint, path, signal) {
  const { socket, head } = await shakeHandsWith(pool, endpoint, path ?? endpoint.target.path ?? '/', signal);
  try {
    await pong(socket, head, signal);
  } finally {
    socket.destroy();
  }
};

/** Opens a connection of the gateway's own, for no client. Rejects as `openWebSocket` does. */
export async function shakeHandsWith(
  pool: Pool,
  endpoint: Endpoint,
  path: string,
  signal: AbortSignal,
): Promise<OpenedUpstream> {
  const socket = await pool.connect(endpoint, signal);
  const { fields, query, protocols } = pool.proof?.() ?? NO_PROOF;
  const offer = {
    target: withQuery(path, query),
    headers: [['host', endpoint.target.authority] as const, ...fields],
    protocols,
    deflate: undefined,
  };
  return openWebSocket(socket, offer, signal);
}

/** Sends a ping and waits for the answer, past whatever else the service says. */
function pong(socket: Socket, head: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown) =>
      reject(new GatewayError('UPSTREAM_LOST', { detail: 'no answer to a ping', cause }));
    const reader = new FrameReader(
      {
        masked: false,
        deflate: false,
        maxMessage: Number.POSITIVE_INFINITY,
        maxFragments: Number.POSITIVE_INFINITY,
      },
      {
        frame: () => PASS,
        control(opcode, payload) {
          if (opcode === PONG && payload.equals(PAYLOAD)) resolve();
          return PASS;
        },
        payload() {},
        raw() {},
        boundary() {},
        violation: (_kind, detail) => fail(new Error(detail)),
      },
    );
    signal.addEventListener('abort', () => fail(), { once: true });
    if (signal.aborted) fail();
    socket
      .on('data', (chunk) => reader.push(chunk))
      .on('end', fail)
      .on('close', fail)
      .on('error', fail);
    reader.push(head);
    socket.write(frame(PING, PAYLOAD, randomInt(2 ** 32)));
    socket.resume();
  });
}
