import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createLogger } from '../src/observe/log.ts';
import { type CertificateSource, endingMessage, WatchedCertificates } from '../src/watched-certificates.ts';
import { WatchedFiles } from '../src/watched-files.ts';
import { folderWith } from './support/cli.ts';
import { LogLines } from './support/log-lines.ts';
import { within } from './support/patience.ts';

const DAY_MS = 86_400_000;
const FAR = Date.parse('2100-01-01');

/** Watches a file that is good as long as it holds the time of its end. */
async function watching({ everyMs = 3_600_000, first = FAR }: { everyMs?: number; first?: number } = {}) {
  const path = join(await folderWith({ 'app.crt': String(first) }), 'app.crt');
  const files = new WatchedFiles({ everyMs });
  const lines = new LogLines();
  const outcomes: string[] = [];
  const served: number[] = [];
  const certificates = new WatchedCertificates(files, createLogger({ destination: lines }), {
    reloaded: (outcome) => outcomes.push(outcome),
  });
  onTestFinished(() => {
    certificates.close();
    files.close();
  });
  const source: CertificateSource<number> = {
    listener: '[::]:8443',
    paths: [path],
    read: () => fileAsNumber(path),
    renew: (value) => void served.push(value),
    expiries: (expiresAt) => [{ name: path, expiresAt }],
  };
  const { value, close } = certificates.watch(source);
  served.push(value);
  return {
    path,
    files,
    lines,
    outcomes,
    served,
    certificates,
    close,
    write: (text: string) => writeFileSync(path, text),
  };
}

function fileAsNumber(path: string): number {
  const text = readFileSync(path, 'utf8');
  if (text === '' || Number.isNaN(Number(text))) throw new Error(`no number: ${text}`);
  return Number(text);
}

async function untilTold(lines: LogLines, message: RegExp): Promise<Record<string, unknown>> {
  return within(
    lines.find(({ msg }) => message.test(String(msg))),
    `a line like ${message}`,
  );
}

test('a change is read again and put into service', async () => {
  const { files, lines, outcomes, served, certificates, path, write } = await watching();
  write(String(FAR + 1));
  await files.renew();
  await files.renew();
  expect(served).toEqual([FAR, FAR + 1]);
  expect(outcomes).toEqual(['renewed']);
  expect([...certificates]).toEqual([{ listener: '[::]:8443', name: path, expiresAt: FAR + 1 }]);
  expect(await untilTold(lines, /in service$/)).toMatchObject({
    level: 'info',
    listener: '[::]:8443',
    files: [path],
  });
});

test('what is the same is neither read again nor counted', async () => {
  const { files, outcomes, served, write } = await watching();
  await files.renew();
  write(String(FAR));
  await files.renew();
  expect([served, outcomes]).toEqual([[FAR], []]);
});

test('what is bad leaves the old one in service, and is told of once for each content', async () => {
  const { files, lines, outcomes, served, certificates, write } = await watching();
  for (const text of ['bad', 'bad', 'worse', '', '', 'bad']) {
    write(text);
    await files.renew();
  }
  expect(served).toEqual([FAR]);
  expect(outcomes).toEqual(['refused', 'refused', 'refused', 'refused']);
  expect([...certificates]).toMatchObject([{ expiresAt: FAR }]);
  const told = lines.parsed.filter(({ level }) => level === 'warn');
  expect(told.map(({ problem }) => problem)).toEqual(
    ['bad', 'worse', '', 'bad'].map((text) => `no number: ${text}`),
  );
  expect(told[0]).toMatchObject({
    msg: expect.stringMatching(/the old one stays in service: mend the file/),
  });
});

test('the old one put back is no renewal, and what comes then is', async () => {
  const { files, outcomes, served, write } = await watching();
  for (const text of ['bad', String(FAR), String(FAR + 1)]) {
    write(text);
    await files.renew();
  }
  expect(served).toEqual([FAR, FAR + 1]);
  expect(outcomes).toEqual(['refused', 'renewed']);
});

test('what cannot be put into service counts as bad', async () => {
  const { files, outcomes, served, certificates, write } = await watching();
  served.push = () => {
    throw new Error('no handshake');
  };
  write(String(FAR + 1));
  await files.renew();
  expect(outcomes).toEqual(['refused']);
  expect([...certificates]).toMatchObject([{ expiresAt: FAR }]);
});

test('what was refused is tried again by itself, for it may not have been valid yet', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { files, outcomes, served, write } = await watching();
  const push = served.push.bind(served);
  served.push = () => {
    throw new Error('not valid before 12:00');
  };
  write(String(FAR + 1));
  await files.renew();
  served.push = push;
  await vi.advanceTimersByTimeAsync(60_000);
  expect([[...served], outcomes]).toEqual([
    [FAR, FAR + 1],
    ['refused', 'renewed'],
  ]);
});

test('a folder that is swapped by its link, as Kubernetes does, is taken up by itself', async () => {
  const folder = await folderWith({});
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'tls.crt'), String(name === 'one' ? FAR : FAR + 1));
  }
  symlinkSync('one', join(folder, '..data'));
  symlinkSync(join('..data', 'tls.crt'), join(folder, 'tls.crt'));
  const files = new WatchedFiles({ everyMs: 5 });
  const { promise, resolve } = Promise.withResolvers<number>();
  const certificates = new WatchedCertificates(files, createLogger({ level: 'silent' }), { reloaded() {} });
  onTestFinished(() => {
    certificates.close();
    files.close();
  });
  const path = join(folder, 'tls.crt');
  const { value } = certificates.watch({
    listener: '',
    paths: [path],
    read: () => fileAsNumber(path),
    renew: resolve,
    expiries: () => [],
  });
  symlinkSync('two', join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
  expect([value, await within(promise, 'a renewal')]).toEqual([FAR, FAR + 1]);
});

test('what is about to end is told of at once, when it is renewed, and once a day', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const soon = Date.now() + 14 * DAY_MS;
  const { files, lines, path, write } = await watching({ first: soon });
  const told = () => lines.parsed.map(({ msg }) => msg).filter((msg) => /expire/.test(String(msg)));
  expect(told()).toEqual(['the certificate expires in 14 days: renew it']);
  expect(lines.parsed[0]).toMatchObject({
    level: 'warn',
    listener: '[::]:8443',
    file: path,
    expires: new Date(soon).toISOString(),
  });
  vi.advanceTimersByTime(2 * DAY_MS);
  expect(told().slice(1)).toEqual([
    'the certificate expires in 13 days: renew it',
    'the certificate expires in 12 days: renew it',
  ]);
  write(String(soon + DAY_MS));
  await files.renew();
  expect(told().slice(3)).toEqual(['the certificate expires in 13 days: renew it']);
  write(String(soon + 365 * DAY_MS));
  await files.renew();
  vi.advanceTimersByTime(3 * DAY_MS);
  expect(told()).toHaveLength(4);
});

test.each([
  [15 * DAY_MS, undefined],
  [14 * DAY_MS, 'the certificate expires in 14 days: renew it'],
  [DAY_MS, 'the certificate expires in 1 day: renew it'],
  [DAY_MS - 1, 'the certificate expires in less than a day: renew it'],
  [0, 'the certificate has expired: renew it'],
])('with %d ms left: %s', (leftMs, message) => {
  expect(endingMessage(FAR + leftMs, FAR)).toBe(message);
});

test('what is closed is neither renewed nor listed', async () => {
  const { files, served, certificates, close, write } = await watching();
  close();
  write(String(FAR + 1));
  await files.renew();
  expect(served).toEqual([FAR]);
  expect([...certificates]).toEqual([]);
});

test('what cannot be read first is an error, and not watched', async () => {
  const { certificates, files, outcomes } = await watching();
  const bad: CertificateSource<number> = {
    listener: '',
    paths: ['/nowhere'],
    read: () => {
      throw new Error('there is no such file');
    },
    renew: () => {},
    expiries: () => [],
  };
  expect(() => certificates.watch(bad)).toThrow('there is no such file');
  await files.renew();
  expect(outcomes).toEqual([]);
});
