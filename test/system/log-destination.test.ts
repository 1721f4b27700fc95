import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Fifo } from '../support/fifo.ts';

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program that uses the library, in a process of its own, with `logger` as it comes without options. */
async function program(script: string, stdout: number | 'pipe' = 'pipe'): Promise<Outcome> {
  const whole = `import { createLogger } from './src/index.ts'; const logger = createLogger(); ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', whole], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [code, out, err] = await Promise.all([
    exit,
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
  ]);
  return { code, out, err };
}

const FLOOD = `for (let line = 0; line < 2000; line += 1) logger.info('x'.repeat(1000));`;

describe('standard output', () => {
  test('has all lines when the process ends by itself, from every logger', async () => {
    const { code, out, err } = await program(
      `logger.info('first'); createLogger().info('second'); logger.child({ a: 1 }).warn('third');`,
    );
    expect(out).toMatch(/^.*"first"\}\n.*"second"\}\n.*"third"\}\n$/);
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  test('has all lines before process.exit, once they are flushed', async () => {
    const { code, out } = await program(`logger.fatal('last'); logger.flush(() => process.exit(3));`);
    expect(out).toContain('"last"');
    expect(code).toBe(3);
  });

  test('lets a process end by itself though nobody reads', async () => {
    const { code, err } = await program(FLOOD, new Fifo().writer);
    expect(code).toBe(0);
    expect(err).toMatch(/^sallyport: log lines dropped: 1 /);
  });

  test.each(['info', 'fatal'])(
    'lets a process end by process.exit after %s though nobody reads',
    async (level) => {
      const script = `${FLOOD} logger.${level}('last'); logger.flush(() => process.exit(3));`;
      const { code, err } = await program(script, new Fifo().writer);
      expect(code).toBe(3);
      expect(err).toMatch(/^sallyport: log lines dropped: 1 .*\nsallyport: log lines dropped: 19\d\d .*\n$/);
    },
  );

  test('is counted for a logger and its children, and for no other logger', async () => {
    const full = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(full));
    const script = `
      import { droppedLines } from './src/observe/log-destination.ts';
      import { pino } from 'pino';
      const child = logger.child({ a: 1 });
      child.info('lost');
      child.flush(() => {
        const counts = [logger, child, pino({ enabled: false })].map(droppedLines);
        process.stderr.write(JSON.stringify(counts));
      });`;
    const { err } = await program(script, full);
    expect(err).toMatch(/^sallyport: log lines dropped: 1 .*\n\[1,1,0\]$/);
  });
});
