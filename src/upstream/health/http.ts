import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { Probe } from './probe.ts';

/** An HTTP service is well if it answers a GET with 2xx or 3xx. */
export const probeHttp: Probe = async function probeHttp(pool, endpoint, path = '/', signal) {
  const socket = await pool.connect(endpoint, signal);
  try {
    const status = await statusOf(socket, path, endpoint.target.authority, signal);
    if (status < 200 || status > 399) throw new Error(`it answered ${status}`);
  } finally {
    socket.destroy();
  }
};

function statusOf(socket: Socket, path: string, host: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host, 'user-agent': 'sallyport', accept: '*/*', connection: 'close' };
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
