import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { installedFile } from './servers.ts';

/** The time of day of other processes, as tests set it; their monotonic clocks go on as they do, as with a real one that is set. */
export interface SetClock {
  /** With these in its environment a process goes by it. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets it so many seconds ahead of the real one, or behind. */
  set(seconds: number): void;
}

/** Makes one, by Debian's libfaketime. Call it within a test, before what goes by it is started. */
export async function makeClock(): Promise<SetClock> {
  const library = installedFile('/usr/lib/*/faketime/libfaketimeMT.so.1', 'faketime');
  // A program's own allocator may ask for the time before the library is ready to say it: behind it stands that of libc.
  const libc = installedFile('/lib/*/libc.so.6', 'libc6');
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-clock-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'offset');
  const set = (seconds: number) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  set(0);
  return {
    set,
    env: {
      LD_PRELOAD: `${library}:${libc}`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  };
}
