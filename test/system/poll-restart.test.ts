import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway } from '../support/gateway.ts';
import type { Note } from '../support/notebook.ts';
import { inboxOf, until } from '../support/poll.ts';

const SERVICE = fileURLToPath(new URL('../support/notebook.ts', import.meta.url));
const LAST = 1_000;
/** A service that starts anew, and the pause before it is asked again. */
const SLOW_MS = 30_000;
const KILLS = 6;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Running {
  readonly port: number;
  kill(): Promise<void>;
}

/** Starts the service on the notes in `file`; port 0 is any. */
async function startNotebook(file: string, port: number): Promise<Running> {
  const child: ChildProcess = spawn(process.execPath, [SERVICE, file, String(port), String(LAST)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await exited;
  }
  undo.push(kill);
  const [line] = (await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
  return { port: Number(String(line)), kill };
}

test('a service killed amid 1,000 messages each way loses none, has none twice, and keeps their order', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'notebook-'));
  undo.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'notes');
  let service = await startNotebook(file, 0);
  const gateway = await startGateway(`
routes:
  - name: notes
    match: { path: /notes }
    auth: none
    upstream:
      poll:
        target: http://127.0.0.1:${service.port}
        poll: { path: /notes }
        cursor: { from: json:/next, send: query:since, initial: "0" }
        messages: { framing: json-array, at: json:/notes }
        send: { path: /notes, retry: idempotent }
`);
  undo.push(() => gateway.close());
  const client = new WebSocket(gateway.url('/notes'));
  undo.push(() => client.terminate());
  const inbox = inboxOf(client);
  await once(client, 'open');

  async function notes(): Promise<Note[]> {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Note);
  }
  async function sendAll(): Promise<void> {
    for (let number = 1; number <= LAST; number++) {
      client.send(String(number));
      await sleep(1);
    }
  }
  const sending = sendAll();
  for (let kill = 1; kill <= KILLS; kill++) {
    const mark = (kill * LAST) / (KILLS + 2);
    await until(() => inbox.texts.length >= mark, `message ${mark}`, SLOW_MS);
    await service.kill();
    service = await startNotebook(file, service.port);
  }
  await sending;
  await inbox.atLeast(LAST, SLOW_MS);
  while ((await notes()).length < LAST) await sleep(20);
  client.close(1000);
  const ended = await gateway.logged(({ close }) => close === 1000);

  const numbers = Array.from({ length: LAST }, (_, index) => String(index + 1));
  expect(inbox.texts).toEqual(numbers);
  const kept = await notes();
  expect(kept.map(({ body }) => body)).toEqual(numbers);
  expect(new Set(kept.map(({ key }) => key)).size).toBe(LAST);
  expect(ended).toMatchObject({ route: 'notes', up: { messages: LAST }, down: { messages: LAST } });
});
