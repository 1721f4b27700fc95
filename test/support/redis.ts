import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createWebSocketStream, WebSocket } from 'ws';
import { portOf, programPath, type RunningServer } from './servers.ts';

/** A command as Redis reads it: an array of bulk strings. */
export function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap((word) => [`$${Buffer.byteLength(word)}\r\n`, word, '\r\n']);
  return Buffer.concat([`*${words.length}\r\n`, ...parts].map((part) => Buffer.from(part)));
}

const END = 'the end of the pipeline';

/** As many commands of all kinds, with replies of all kinds, whose answers depend on nothing but those before them. */
export function mixedCommands(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    if (index === count - 1) return command('ECHO', END);
    const key = `key:${Math.floor(index / 10) % 500}`;
    // Octets that would end a line, or begin a reply, if they were not counted.
    const value = Buffer.alloc(
      index % 5_000 === 0 ? 70_000 : index % 200,
      `\r\n$-1\r\n${index}\0\xff`,
      'latin1',
    );
    const kinds = [
      () => command('SET', key, value),
      () => command('GET', key),
      () => command('INCR', `counter:${index % 3}`),
      () => command('RPUSH', `list:${index % 10}`, value.subarray(0, 20)),
      () => command('LRANGE', `list:${index % 10}`, '-3', '-1'),
      () => command('STRLEN', key),
      () => command('INCR', key),
      () => command('GET', 'nowhere'),
      () => command('HSET', `hash:${index % 5}`, `${index % 50}`, 'x'),
      () => command('PING'),
    ];
    return (kinds[index % kinds.length] as () => Buffer)();
  });
}

/** Sends everything at once and resolves with all that comes back, up to the reply of the last of `mixedCommands`. */
export async function pipelined(stream: Duplex, pieces: readonly Buffer[]): Promise<Buffer> {
  const last = Buffer.from(`$${END.length}\r\n${END}\r\n`);
  const chunks: Buffer[] = [];
  let tail: Buffer = Buffer.alloc(0);
  for (const piece of pieces) stream.write(piece);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    tail = Buffer.concat([tail, chunk]).subarray(-last.length);
    if (tail.equals(last)) break;
  }
  stream.destroy();
  return Buffer.concat(chunks);
}

/** A local port whose connections go to a WebSocket each: what lets programs that know only TCP through. */
export async function startForwarder(url: string, protocols: readonly string[]): Promise<RunningServer> {
  const server = createServer((local) => {
    const socket = new WebSocket(url, [...protocols]);
    const remote = createWebSocketStream(socket);
    // Whichever side fails, `pipeline` ends both; the program at the other end says what it missed.
    pipeline(local, remote, local).catch(() => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: portOf(server),
    async close() {
      server.close();
      await once(server, 'close');
    },
  };
}

/** Runs Debian's redis-cli against a port of 127.0.0.1; resolves with what it prints. Rejects if it fails. */
export async function redisCli(
  port: number,
  args: readonly string[],
  input: Buffer | string = '',
): Promise<string> {
  const program = programPath('redis-cli', 'redis-tools');
  const child = spawn(program, ['-h', '127.0.0.1', '-p', String(port), ...args], { timeout: 60_000 });
  // One that gives up early closes its end; what it printed says why.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const [said, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (code !== 0) throw new Error(`redis-cli ended with ${code}: ${said}${complained}`);
  return said;
}

/** A plain TCP connection. */
export function direct(port: number): Duplex {
  return connect(port, '127.0.0.1');
}
