import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { OPENED, startV1Server } from '../support/v1-server.ts';

/** A program whose connections have ended ends, and none that nobody waits for ends it badly. */

const LIBRARY = new URL('../../src/client/index.ts', import.meta.url).href;
const run = promisify(execFile);

/** Runs a program that has the library; resolves with what it wrote, when it has ended by itself. */
async function output(program: string): Promise<string> {
  const script = `import { connect, Socket } from '${LIBRARY}';\n${program}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    timeout: 15_000,
  });
  return stdout;
}

test('a connection and a socket that fail, with nobody who waits', async () => {
  const url = `ws://127.0.0.1:${await freePort()}/`;
  const program = `
    connect('${url}');
    connect('no URL at all');
    connect('${url}', { token: () => { throw new Error('signed out') } });
    new Socket('${url}', { token: () => { throw new Error('signed out') } });
    const socket = new Socket('${url}');
    socket.onreconnecting = () => socket.close();
    socket.onclose = ({ code }) => console.log('closed', code);`;
  expect(await output(program)).toBe('closed 1000\n');
});

test.each([
  ['closed', 'await connection.close()'],
  ['aborted', "await connection.readable.cancel('enough')"],
  ['given up before it was open', 'controller.abort()'],
])('one with a token that would be renewed, which is %s', async (_, end) => {
  const expiresAt = Date.now() + 3_600_000;
  const { url } = await startV1Server(({ say }) => say({ ...OPENED, expiresAt }));
  const program = `
    const controller = new AbortController();
    const connection = connect('${url}', { token: async () => 't', signal: controller.signal });
    ${end.startsWith('controller') ? '' : 'await connection.opened;'}
    ${end};
    console.log('done');`;
  expect(await output(program)).toBe('done\n');
});
