import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { eventually, within } from './patience.ts';
import { programPath } from './servers.ts';

/** TCP services in processes of their own that say what they hear, and how their one connection ended. */

const START_MS = 10_000;

const NODE = `
const server = require('node:net').createServer((socket) => {
  let heard = '';
  const tell = (what) => console.log(what + ' ' + heard);
  socket.on('data', (chunk) => { heard += chunk; tell('heard'); });
  socket.on('end', () => tell('FIN')).on('error', ({ code }) => tell(code));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

const PYTHON = `
import errno, socket
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
heard = b''
def tell(what): print(what, heard.decode(), flush=True)
try:
    while chunk := peer.recv(65536):
        heard += chunk
        tell('heard')
    tell('FIN')
except OSError as error:
    tell(errno.errorcode[error.errno])`;

export type Language = 'Node' | 'Python';

export interface Listener {
  readonly port: number;
  /** Resolves when it has had all of this text. */
  heard(text: string): Promise<void>;
  /** Resolves with how its connection ended, `FIN` or the error that its system named, and the text before that. */
  ended(): Promise<string>;
}

export async function startListener(language: Language): Promise<Listener> {
  const [program, args] =
    language === 'Node'
      ? [process.execPath, ['-e', NODE]]
      : [programPath('python3', 'python3'), ['-c', PYTHON]];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  await within(once(output, 'line'), 'the port of a process', START_MS);
  const [port, ...said] = lines;
  lines.splice(0, lines.length, ...said);
  return {
    port: Number(port),
    heard: (text) => eventually(() => lines.includes(`heard ${text}`), `to hear ${text}`),
    async ended() {
      const find = () => lines.find((line) => !line.startsWith('heard '));
      await eventually(
        () => find() !== undefined,
        () => `an end behind ${lines.join(', ')}`,
      );
      return find() as string;
    },
  };
}
