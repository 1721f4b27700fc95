import { once } from 'node:events';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { folderWith, Process } from '../support/cli.ts';
import { deadPort } from '../support/faulty.ts';
import { freePort } from '../support/ports.ts';

/** `log` of the configuration, as `sallyport serve` understands it. */

async function configOf(log: string, port = 0): Promise<string> {
  return `listeners: [{ host: 127.0.0.1, port: ${port} }]
log: ${log}
routes: [{ name: dead, match: { path: /dead }, auth: none, upstream: { websocket: "ws://127.0.0.1:${await deadPort()}" } }]
`;
}

/** Runs a gateway whose log is in `gate.log`, has it refuse two upgrades, and gives what it has written. */
async function lastWords(log: string): Promise<{ text: string; out: string; path: string }> {
  const port = await freePort();
  const folder = await folderWith({ 'gate.yaml': await configOf(log, port) });
  const path = join(folder, 'gate.log');
  const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
  const url = `ws://127.0.0.1:${port}`;
  await expect.poll(() => refusal(`${url}/nowhere`), { timeout: 15_000 }).toBe(404);
  expect(await refusal(`${url}/dead`)).toBe(502);
  daemon.signal('SIGTERM');
  expect(await daemon.exit).toBe(0);
  return { text: await readFile(path, 'utf8'), out: daemon.out + daemon.err, path };
}

/** The status of an upgrade; undefined while nobody listens. */
async function refusal(url: string): Promise<number | undefined> {
  const client = new WebSocket(url);
  client.on('error', () => {});
  const answered = once(client, 'unexpected-response').then(([, response]) => response.statusCode as number);
  return Promise.race([answered, once(client, 'close').then(() => undefined)]).finally(() =>
    client.terminate(),
  );
}

describe('log.file', () => {
  test('has every line, its path taken from the configuration’s folder, and standard output has none', async () => {
    const { text, out, path } = await lastWords('{ file: gate.log }');
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    const messages = lines.map(({ msg }) => msg);
    expect(messages).toEqual(expect.arrayContaining(['listening', 'upgrade refused', 'stopped']));
    expect(messages.at(-1)).toBe('stopped');
    expect(out).toBe('');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  test('has with access: errors only what is a fault, and with level: warn no other line', async () => {
    const { text } = await lastWords('{ file: gate.log, access: errors, level: warn }');
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'target out of service', target: expect.stringContaining('127.0.0.1') },
      { level: 'warn', msg: 'upgrade refused', error: 'UPSTREAM_REFUSED', status: 502 },
    ]);
  });

  test('is written for people with format: pretty, without colours; with access: off the other lines stay', async () => {
    const { text } = await lastWords('{ file: gate.log, format: pretty, access: off }');
    expect(text).toMatch(/^\[[\d:.]+\] INFO: listening \{.*\}$/m);
    expect(text).not.toContain('refused');
    expect(text).not.toContain('\u001b');
  });

  test('is opened again at SIGUSR1, after it was renamed', async () => {
    const folder = await folderWith({ 'gate.yaml': await configOf('{ file: gate.log }') });
    const path = join(folder, 'gate.log');
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    const textOf = (file: string) => readFile(file, 'utf8').catch(() => '');
    await expect.poll(() => textOf(path), { timeout: 15_000 }).toContain('"listening"');
    await rename(path, `${path}.1`);
    daemon.signal('SIGUSR1');
    await expect.poll(() => textOf(path), { timeout: 15_000 }).toContain('"log file reopened"');
    daemon.signal('SIGTERM');
    expect(await daemon.exit).toBe(0);
    expect(await textOf(path)).toContain('"stopped"');
    expect(await textOf(`${path}.1`)).not.toMatch(/reopened|stopped/);
    expect(daemon.err).toBe('');
  });

  test('that cannot be opened ends serve with 1, and one line that says which and why', async () => {
    const folder = await folderWith({ 'gate.yaml': await configOf('{ file: gone/gate.log }') });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    expect(await daemon.exit).toBe(1);
    expect(daemon.err).toBe(
      `sallyport: log.file: cannot open ${folder}/gone/gate.log: its folder does not exist; make it first\n`,
    );
    expect(daemon.out).toBe('');
  });

  test('on a full disk stops nothing, and is told of', async () => {
    const folder = await folderWith({ 'gate.yaml': await configOf('{ file: /dev/full }', await freePort()) });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    await expect.poll(() => daemon.err, { timeout: 15_000 }).toMatch(/^sallyport: log lines dropped: \d+ /);
    daemon.signal('SIGTERM');
    expect(await daemon.exit).toBe(0);
  });
});
