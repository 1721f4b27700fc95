import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { resetSocket } from '../../src/stream/reset.ts';
import { within } from '../support/patience.ts';
import { programPath } from '../support/servers.ts';

/** A reset amid much that has not left yet, as a program without libuv sees it. */

const EAR = `
import errno, socket, sys
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
sys.stdin.readline()
try:
    while peer.recv(65536): pass
    print('FIN', flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)`;

/** A process that listens, and when it is told to reads its one connection, and says how that has ended. */
async function startEar() {
  const child = spawn(programPath('python3', 'python3'), ['-c', EAR], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (what: string) => String((await within(lines.next(), what, 10_000)).value);
  const port = Number(await next('a port'));
  return {
    port,
    ended(): Promise<string> {
      child.stdin.write('read\n');
      return next('the end of a connection');
    },
  };
}

test('a socket that has been ended is reset all the same, while some of what was written has not left it', async () => {
  // libuv takes a reset that comes with data for an end.
  const { port, ended } = await startEar();
  const ours = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await within(once(ours, 'connect'), 'a connection');
  ours.end(Buffer.alloc(32 * 2 ** 20));
  expect(ours.writableLength).toBeGreaterThan(0);
  const closed = within(once(ours, 'close'), 'our own close');
  resetSocket(ours);
  await closed;
  expect(await ended()).toBe('ECONNRESET');
});
