import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Random } from './seeded.ts';

/**
 * Cuts so many of a thousand answers of a server, whatever library makes them: some of their bytes are sent, or none, and the
 * connection ends in order or is reset.
 */
export function cutAnswers(server: Server, rate: number, random: Random): void {
  server.prependListener('request', function onRequest({ socket }: IncomingMessage) {
    if (random(1000) < rate) socket.write = cutter(socket, random) as Socket['write'];
  });
  server.on('connection', (socket) => socket.on('error', () => {}));
}

function cutter(socket: Socket, random: Random): (bytes: string | Buffer) => boolean {
  const write = socket.write.bind(socket);
  const isReset = random(2) === 0;
  let isCut = false;
  return function writeSome(given) {
    if (isCut) return false;
    isCut = true;
    const bytes = Buffer.from(given as string, 'latin1');
    write(bytes.subarray(0, random(bytes.length)), () =>
      isReset ? socket.resetAndDestroy() : socket.destroy(),
    );
    return false;
  };
}
