import { createServer, type Socket } from 'node:net';
import { listenOnLoopback, type Service } from './service.ts';

const MAX_LINE = 1024;
const GREETING = 'Plain TCP here. Try: help\n';
const HELP = 'time · upper TEXT · reverse TEXT · count · quit';

/** A line service on plain TCP, of the kind that has been running for decades: a line in, a line out. */
export async function startLines(): Promise<Service> {
  const sockets = new Set<Socket>();
  const server = createServer(function onConnection(socket) {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, () => sockets.size);
  });
  const port = await listenOnLoopback(server);
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(socket: Socket, count: () => number): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', function onData(text: string) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    // A client that sends faster than it reads is not waited for.
    if (rest.length > MAX_LINE || socket.writableLength > 64 * MAX_LINE) {
      socket.destroy();
      return;
    }
    for (const line of lines) answer(socket, line.trim(), count);
  });
  socket.write(GREETING);
}

function answer(socket: Socket, line: string, count: () => number): void {
  if (line === 'quit') socket.end('bye\n');
  else if (socket.writable) socket.write(`${reply(line, count)}\n`);
}

function reply(line: string, count: () => number): string {
  const [command, ...words] = line.split(' ');
  const text = words.join(' ');
  if (command === 'time') return new Date().toISOString();
  if (command === 'upper') return text.toUpperCase();
  if (command === 'reverse') return [...text].reverse().join('');
  if (command === 'count') return `${count()} connected`;
  return command === 'help' ? HELP : `unknown: ${command} (try: help)`;
}
