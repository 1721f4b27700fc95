import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { writeVersion2 } from '../../src/proxy-protocol/write.ts';

/** A connection to a TCP service of the demo, as the gateway makes it for somebody of this name. */
export async function visitorOf(port: number, name = 'ada'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const place = { address: '127.0.0.1', port: 1 };
  socket.write(writeVersion2({ source: place, destination: place }, { uniqueId: 'x', subject: name }));
  return socket;
}

/** All that comes back when these bytes, and no more, are sent. */
export async function answered(port: number, bytes: string | Uint8Array, name?: string): Promise<Buffer> {
  const socket = await visitorOf(port, name);
  socket.end(bytes);
  return buffer(socket);
}

/** A module of the demo's page. */
export function pageModule<T>(name: string): Promise<T> {
  return import(new URL(`../../config/demo/${name}`, import.meta.url).href);
}

/** A few hundred of them, most of which end amid something. */
export function piecesOf(bytes: Buffer): Buffer[] {
  const size = Math.ceil(bytes.length / 300);
  return Array.from({ length: Math.ceil(bytes.length / size) || 0 }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
}
