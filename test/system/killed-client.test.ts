import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { Process } from '../support/cli.ts';
import { dial } from '../support/commands.ts';
import { type Stage, stage } from '../support/forwarded.ts';
import { eventually } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Who is killed says no goodbye, and its system sends a FIN: the service reads a reset, and no end that looks well. Over TLS, with a token. */

const RESUME_MS = 2_000;

/** A service that speaks first, and how the connections to it have ended. */
async function startService() {
  const ends: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', ({ code }: NodeJS.ErrnoException) => ends.push(`${code}`));
    socket.on('end', () => ends.push('FIN')).resume();
    socket.write('hello\n');
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return { port: portOf(server), ends };
}

/** Programs on the client's side, each of which has heard the service when it resolves. */
const CLIENTS: Readonly<Record<string, (there: Stage) => Promise<Process>>> = {
  async forward({ port, ca, tokenFile }) {
    const url = `wss://localhost:${port}/to`;
    const command = new Process(['forward', url, '--ca', ca, '--token-file', tokenFile]);
    const local = dial(Number(/:(\d+) -> /.exec(await command.line(/ -> /))?.[1]));
    let heard = '';
    local.on('data', (text) => {
      heard += text;
    });
    await eventually(() => heard === 'hello\n');
    return command;
  },
  async stdio({ port, ca, tokenFile }) {
    const url = `wss://localhost:${port}/to`;
    const command = new Process(['stdio', url, '--ca', ca, '--token-file', tokenFile]);
    await command.line(/^hello$/);
    return command;
  },
  async 'a program of our library'({ port, ca, tokenFile }) {
    const env = { NODE_EXTRA_CA_CERTS: ca, SALLYPORT_TOKEN: await readFile(tokenFile, 'utf8') };
    const program = 'test/support/tcp-client-child.ts';
    const child = new Process([`wss://localhost:${port}/to`], env, { program });
    await child.line(/^hello$/);
    return child;
  },
};

test.each(Object.keys(CLIENTS))('%s is killed, and the service reads a reset', async (name) => {
  const { port, ends } = await startService();
  const there = await stage('/to', `tcp: "127.0.0.1:${port}"`);
  const client = await CLIENTS[name]?.(there);
  client?.signal('SIGKILL');
  await eventually(() => ends.length > 0);
  expect(ends).toEqual(['ECONNRESET']);
});

test.each(Object.keys(CLIENTS))(
  '%s is killed, and the service reads a reset once it cannot come back any more',
  async (name) => {
    const { port, ends } = await startService();
    const there = await stage('/to', `tcp: "127.0.0.1:${port}", resume: ${RESUME_MS}ms`);
    const client = await CLIENTS[name]?.(there);
    client?.signal('SIGKILL');
    await there.gateway.logged(({ msg }) => msg === 'connection ended');
    expect(ends).toEqual([]);
    await eventually(() => ends.length > 0, 'the end', 5 * RESUME_MS);
    expect(ends).toEqual(['ECONNRESET']);
  },
);
