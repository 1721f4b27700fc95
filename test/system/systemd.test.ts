import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { sallyport } from '../support/cli.ts';
import { sampleConfig } from '../support/config.ts';
import { type Ran, run } from '../support/programs.ts';

/** config/sallyport.service, as systemd itself reads it. */

const unit = await readFile('config/sallyport.service', 'utf8');
const ANALYZE = ['systemd-analyze', 'systemd'] as const;

/** What systemd-analyze says of a unit whose program is installed. */
async function analyze(text: string, command: string, ...options: readonly string[]): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-unit-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, 'sallyport');
  await writeFile(program, '#!/bin/sh\n');
  await chmod(program, 0o755);
  const file = join(folder, 'sallyport.service');
  await writeFile(file, text.replace(/^ExecStart=sallyport /m, `ExecStart=${program} `));
  return run(ANALYZE, [command, ...options, file]);
}

function settingOf(key: string): string {
  return new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
}

describe('the unit', () => {
  test('is one that systemd has nothing to say against', async () => {
    expect(await analyze(unit, 'verify')).toEqual({ code: 0, output: '', errors: '' });
    const mistyped = await analyze(unit.replace('NoNewPrivileges=', 'NoNewPrivilege='), 'verify');
    expect(mistyped.errors).toMatch(/Unknown key.* 'NoNewPrivilege'/);
  });

  test('exposes little', async () => {
    // In tenths; 96 without any of it.
    const strict = ['--offline=true', '--threshold=20'];
    const { code, output } = await analyze(unit, 'security', ...strict);
    expect(output).toMatch(/Overall exposure level .*: [01]\.\d OK/);
    expect(code).toBe(0);
    const bare = unit.replace(/^(Capability|Protect|Private|Restrict|System|NoNew).*\n/gm, '');
    expect((await analyze(bare, 'security', ...strict)).code).toBe(1);
  });

  test('gives the drain its time, and names commands that there are', async () => {
    const { config } = parseConfig(sampleConfig());
    expect(Number.parseInt(settingOf('TimeoutStopSec'), 10) * 1000).toBeGreaterThan(config.drain);
    expect(settingOf('ExecReload')).toBe('kill -HUP $MAINPID');
    const [program, command = ''] = settingOf('ExecStart').split(' ');
    expect(program).toBe('sallyport');
    expect(await sallyport([command, '--help'])).toMatchObject({ code: 0 });
  });
});
