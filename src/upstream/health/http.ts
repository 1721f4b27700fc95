import { request } from 'node:http';
import type { Socket } from 'node:net';
import { withQuery } from '../../http/query.ts';
import { NO_PROOF } from '../credentials.ts';
import type { Endpoint } from '../endpoint.ts';
import { isHttp2, openHttp2 } from '../http2-connection.ts';
import type { Pool } from '../pool.ts';
import type { StreamedAnswer } from '../streamed-answer.ts';
import { Streaming } from '../streaming.ts';
import type { Probe } from './probe.ts';

/** An HTTP service is well if it answers a GET with 2xx or 3xx. */
export const probeHttp: Probe = async function probeHttp(pool, endpoint, path = '/', signal) {
  const status = await statusAt(pool, endpoint, path, signal);
  if (status < 200 || status > 399) throw new Error(`it answered ${status}`);
};

/** The status that a GET is answered with. Rejects if it is not answered in HTTP, and when `signal` aborts; leaves nothing open. */
export async function statusAt(
  pool: Pool,
  endpoint: Endpoint,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  const socket = await pool.connect(endpoint, signal);
  try {
    const { fields, query } = pool.proof?.() ?? NO_PROOF;
    const own = { host: endpoint.target.authority, ...Object.fromEntries(fields) };
    const ask = isHttp2(socket, pool.http2) ? statusOverHttp2 : statusOf;
    return await ask(socket, withQuery(path, query), { ...OURS, ...own }, signal);
  } finally {
    socket.destroy();
  }
}

const OURS = { 'user-agent': 'sallyport', accept: '*/*' };

async function statusOverHttp2(
  socket: Socket,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const connection = await openHttp2(socket, `https://${headers.host}`, signal);
  const { status } = await new Promise<StreamedAnswer>((resolve, reject) => {
    const limits = { signal, silenceMs: 2 ** 31 - 1 };
    connection.send({ method: 'GET', path, headers }, new Streaming(limits, resolve, reject));
  });
  return status;
}

function statusOf(
  socket: Socket,
  path: string,
  own: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'close', ...own };
    const asked = request({ createConnection: () => socket, path, headers, signal });
    asked.once('response', (response) => {
      response.on('error', () => {});
      resolve(response.statusCode ?? 0);
    });
    asked.once('upgrade', () => reject(new Error('it switched protocols unasked')));
    asked.on('error', reject);
    asked.end();
  });
}
