import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';
import { within } from './patience.ts';
import { seeded } from './seeded.ts';

/**
 * Services in processes of their own that are killed again and again, amid what they say. What is cut and when can be played
 * again with CHAOS_SEED; how the kernel and two processes share their time cannot. Call these within a test; all ends with it.
 */

export const SEED = Number(process.env.CHAOS_SEED ?? randomInt(2 ** 31));
/** For all of a test, on a machine that others use too. */
export const LONG_MS = 90_000;
const START_MS = 10_000;

export interface ChaosService {
  readonly url: string;
  /** Kills it, and starts it anew on its port. */
  restart(): Promise<void>;
  /** The lines of its file: what it has taken, over all its lives. */
  lines<Line>(): Promise<Line[]>;
}

/** Runs `PROGRAM PORT FILE …ARGS SEED` of test/support, which prints its port; each life has a seed of its own. */
export async function startChaosService(
  program: string,
  ...args: (string | number)[]
): Promise<ChaosService> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  const file = join(folder, 'taken');
  onTestFinished(() => rm(folder, { recursive: true }));
  let lives = 0;
  let port = 0;
  let kill: () => Promise<void>;

  async function start(): Promise<void> {
    const options = [path, port, file, ...args, SEED + lives++].map(String);
    const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    kill = async () => {
      child.kill('SIGKILL');
      await exited;
    };
    const [line] = await within(once(child.stdout, 'data'), 'the port of a service', START_MS);
    port = Number(String(line));
  }
  onTestFinished(() => kill());
  await start();

  return {
    url: `http://127.0.0.1:${port}`,
    async restart() {
      await kill();
      await start();
    },
    async lines<Line>() {
      const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
      return lines.map((line) => JSON.parse(line) as Line);
    },
  };
}

/** A gateway with one route to a service: `poll` or `post` as in YAML, but for its target. */
export async function gatewayTo(
  { url }: ChaosService,
  upstream: object,
  rest: object = {},
): Promise<TestGateway> {
  const [[kind, session]] = Object.entries(upstream) as [[string, object]];
  const to = { [kind]: { target: url, ...session } };
  const route = { name: 'chaos', match: { path: '/*' }, auth: 'none', upstream: to, ...rest };
  const gateway = await startGateway(`routes: [${JSON.stringify(route)}]`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Kills a service now and then, so many times at most, until `done` settles. */
export async function killUntil<T>(done: Promise<T>, service: ChaosService, most = 10): Promise<T> {
  const random = seeded(SEED);
  let isDone = false;
  const settled = done.finally(() => {
    isDone = true;
  });
  settled.catch(() => {});
  for (let kills = 0; !isDone && kills < most; kills++) {
    await Promise.race([settled, sleep(300 + random(700))]);
    if (!isDone) await service.restart();
  }
  return settled;
}

/** Places at random between nothing and `limit`, the first of them first. */
export function places(count: number, limit: number): number[] {
  const random = seeded(SEED);
  return Array.from({ length: count }, () => random(limit)).sort((one, other) => one - other);
}

/** `1` to `last`. */
export function numbersTo(last: number): string[] {
  return Array.from({ length: last }, (_, index) => String(index + 1));
}
