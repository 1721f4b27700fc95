import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import type { Context } from '../../src/cli/context.ts';
import { servePrimary } from '../../src/cli/serve/primary.ts';
import { serveWorker } from '../../src/cli/serve/worker.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogger } from '../../src/observe/log.ts';
import { TOPICS } from '../../src/workers/commons-topics.ts';
import { Line } from '../../src/workers/line.ts';
import type { Exit, WorkerProcess } from '../../src/workers/processes.ts';
import { ORDERS, READY } from '../../src/workers/spare.ts';
import { folderWith } from '../support/cli.ts';
import { wayPair } from '../support/ways.ts';

const unheard = () => () => {};

const CONTEXT: Context = {
  argv: [],
  env: {},
  stdin: Readable.from([]),
  stdout: { write: () => true },
  stderr: { write: () => true },
  isTTY: false,
  isErrorTTY: false,
  pipe: () => ({ input: Readable.from([]), output: new Writable() }),
  onSignal: unheard,
  onReload: unheard,
  onReopen: unheard,
  onIgnored: unheard,
  onCrash: unheard,
};

const CONFIG = `
listeners: [{ host: 127.0.0.1, port: 0 }]
log: { file: gate.log }
workers: 2
routes: [{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }]
`;

/** Workers as a primary starts them, which listen when `isToListen` resolves; `heard` is told when they are to open the log again. */
function forkOf(isToListen: Promise<void>, heard: () => void): () => WorkerProcess {
  return function fork() {
    const way = wayPair();
    const { promise: exited, resolve } = Promise.withResolvers<Exit>();
    const line = new Line(way.far);
    line.answer(ORDERS, () => isToListen.then(() => line.say('listening', [])));
    line.answer('reopen', heard);
    line.answer('close', () => resolve({ code: 0, signal: null }));
    line.say(READY);
    return { pid: 1, way: way.near, exited, kill: () => resolve({ code: null, signal: 'SIGKILL' }) };
  };
}

/** Runs a worker, to whose primary `meanwhile` happens while the worker begins; then it ends. What its log says at the end. */
async function logOf(meanwhile: (primary: Line, log: string) => Promise<void>): Promise<string> {
  const folder = await folderWith({ 'gate.yaml': CONFIG });
  const [log, way] = [join(folder, 'gate.log'), wayPair()];
  const primary = new Line(way.far);
  const ticketSecret = new Uint8Array(32);
  const orders = { text: CONFIG, file: join(folder, 'gate.yaml'), number: 1, size: 2, ticketSecret };
  primary.answer(READY, () => primary.say(ORDERS, orders));
  primary.answer(TOPICS.join, async () => {
    await meanwhile(primary, log);
    return { others: [] };
  });
  primary.answer(TOPICS.read, () => ({ lines: [] }));
  primary.answer('listening', () => primary.say('close'));
  await serveWorker(CONTEXT, way.near);
  way.cut();
  return readFile(log, 'utf8');
}

test('a worker that is told to open its log again while it begins does so', async () => {
  const text = await logOf(async (primary, log) => {
    await rename(log, `${log}.1`);
    primary.say('reopen');
  });
  expect(text).toContain('log file reopened');
  expect(text).toContain('stopped');
});

test('a worker that is told to look again at its files while it begins does so once it has', async () => {
  const text = await logOf(async (primary) => primary.say('reload'));
  expect(text).toContain('looking again at certificates');
});

test('workers that begin while the primary is told to open the log again hear it, too', async () => {
  const folder = await folderWith({ 'gate.yaml': CONFIG });
  const loaded = await loadConfig(join(folder, 'gate.yaml'), { env: {} });
  const begun = Promise.withResolvers<void>();
  const heard = vi.fn();
  let [reopen, close] = [(_: string) => {}, (_: string) => {}];
  const context: Context = {
    ...CONTEXT,
    processes: { fork: forkOf(begun.promise, heard) },
    onReopen(handler) {
      reopen = handler;
      return () => {};
    },
    onSignal(handler) {
      close = handler;
      return () => {};
    },
  };
  const logger = createLogger({ ...loaded.config.log, format: 'json', colours: false });
  const serving = servePrimary(context, loaded, { size: 2, logger });
  reopen('SIGUSR1');
  begun.resolve();
  await vi.waitFor(() => expect(heard).toHaveBeenCalledTimes(2));
  close('SIGTERM');
  expect(await serving).toBe(0);
});
