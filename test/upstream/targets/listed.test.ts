import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../../src/errors.ts';
import { TargetTable } from '../../../src/upstream/targets/table.ts';
import { WatchedFiles } from '../../../src/watched-files.ts';
import { LogLines } from '../../support/log-lines.ts';
import { tcpTargets } from '../../support/tcp-targets.ts';

const TABLE = { entries: { 'desk-7': { host: '10.0.0.7', port: 5900 } } };
const targets = { 'desk-7': '10.0.0.7:5900', other: 'db.internal:5432', '7': 'unix:/run/x.sock' };

async function fileWith(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-listed-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'desks');
  await writeFile(file, text);
  return file;
}

describe('a target of a table', () => {
  test.each([
    [{ tcp: '{path.name}' }, { path: '/{name}' }, { url: '/desk-7' }, 'desk-7'],
    [{ tcp: '{path.name}' }, { path: '/{name}' }, { url: '/desk%2D7' }, 'desk-7'],
    [{ tcp: '{query.token}' }, { path: '/' }, { url: '/?token=desk-7' }, undefined],
    [{ tcp: '{claims.desk}' }, { path: '/' }, { url: '/', claims: { desk: 'desk-7' } }, 'desk-7'],
    [{ tcp: 'desk-{claims.desk}' }, { path: '/' }, { url: '/', claims: { desk: 7 } }, 'desk-7'],
    [
      { tcp: '{host.label}' },
      { host: '*.x.example', path: '/' },
      { url: '/', host: 'desk-7.x.example' },
      'desk-7',
    ],
  ])('is found by %j', async (tcp, match, visit, rule) => {
    const { visit: go, dialled } = tcpTargets({ ...tcp, targets }, { match });
    expect(await go(visit)).toMatchObject({
      name: '10.0.0.7:5900',
      label: '10.0.0.7:5900',
      chosen: { rule },
    });
    expect(dialled).toMatchObject([{ host: '10.0.0.7', port: 5900 }]);
  });

  test('is named by the claims that a new token must have as well', async () => {
    const { visit } = tcpTargets({ tcp: '{claims.desk}', targets }, { match: { path: '/' } });
    expect((await visit({ url: '/', claims: { desk: 'desk-7' } })).namedBy).toEqual(['desk']);
  });

  test('needs no rule for private addresses, and may be a name or a socket', async () => {
    const { visit, dialled } = tcpTargets(
      { tcp: '{path.name}', targets },
      { match: { path: '/{name}' }, names: () => ['127.0.0.1'] },
    );
    expect((await visit({ url: '/other' })).name).toBe('db.internal:5432/127.0.0.1');
    expect((await visit({ url: '/7' })).name).toBe('unix:/run/x.sock');
    expect(dialled).toMatchObject([{ host: '127.0.0.1', port: 5432 }, { socketPath: '/run/x.sock' }]);
  });

  test('may have the name of a host with its port, in any spelling', async () => {
    const named = { 'EP-1.Neon.tech:5432': '10.0.0.1:5432', '[2001:DB8::0:1]:1': '10.0.0.2:1' };
    const { visit } = tcpTargets({ tcp: '{query.address}', targets: named }, { match: { path: '/' } });
    expect(await visit({ url: '/?address=ep-1.neon.tech.:5432' })).toMatchObject({
      name: '10.0.0.1:5432',
      chosen: { rule: 'ep-1.neon.tech.:5432' },
    });
    expect((await visit({ url: '/?address=[2001:db8::1]:1' })).name).toBe('10.0.0.2:1');
  });

  test.each([
    '/nobody',
    '/DESK-7',
    '/desk-7.',
    '/__proto__',
    '/constructor',
    '/desk-7%00',
    '/10.0.0.7:5900',
    `/${'x'.repeat(9_999)}`,
  ])('that is not there is refused like any other: %s', async (url) => {
    const { refused, dialled } = tcpTargets({ tcp: '{path.name}', targets }, { match: { path: '/{name}' } });
    const error = await refused({ url });
    expect([error.code, error.message, error.detail]).toEqual([
      'TARGET_REFUSED',
      'This target is not allowed, or there is none of that name.',
      'no target has that name',
    ]);
    expect(dialled).toEqual([]);
  });

  test.each([
    ['/?token=', '?token= is expected.'],
    ['/', '?token= is expected.'],
    ['/?token=a&token=b', '?token= is expected.'],
  ])('that is not named is asked for: %s', async (url, text) => {
    const { refused } = tcpTargets({ tcp: '{query.token}', targets }, { match: { path: '/' } });
    expect((await refused({ url })).message).toBe(`The target is missing or malformed: ${text}`);
  });

  test('is not written down by a name that may be a secret', async () => {
    const { refused } = tcpTargets({ tcp: '{query.token}', targets }, { match: { path: '/' } });
    const error = await refused({ url: '/?token=s3cret' });
    expect(JSON.stringify([error, error.chosen, error.detail])).not.toContain('s3cret');
  });

  test('that is dead is remembered, like any of the configuration', async () => {
    const dials: string[] = [];
    const connect = async ({ host }: { host: string }) => {
      dials.push(host);
      throw new GatewayError('UPSTREAM_REFUSED');
    };
    const { refused, context } = tcpTargets(
      { tcp: '{path.name}', targets },
      { match: { path: '/{name}' }, context: { connect } },
    );
    const error = await refused({ url: '/desk-7' });
    expect([error.code, error.chosen]).toEqual(['UPSTREAM_REFUSED', { rule: 'desk-7' }]);
    expect([...context.endpoints].map(({ name, standing }) => [name, standing.state(context.now())])).toEqual(
      [['10.0.0.7:5900', 'out']],
    );
  });

  test('is one of 256 at most that are kept known', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`n${at}`, `10.0.${at >> 8}.${at & 255}:1`]),
    );
    const { visit, context, close } = tcpTargets(
      { tcp: '{path.name}', targets: many },
      { match: { path: '/{name}' } },
    );
    const reached = [];
    for (let at = 0; at < 300; at++) reached.push(await visit({ url: `/n${at}` }));
    expect([...context.endpoints]).toHaveLength(300);
    for (const { release } of reached) release();
    expect([...context.endpoints]).toHaveLength(256);
    close();
    expect([...context.endpoints]).toHaveLength(0);
  });
});

describe('a table in a file', () => {
  test('is read again when it changes, and one that is broken changes nothing', async () => {
    const file = await fileWith('a: 10.0.0.1:1\nb: 10.0.0.2:1\n');
    const files = new WatchedFiles();
    onTestFinished(() => files.close());
    const log = new LogLines();
    const outcomes: string[] = [];
    const { visit, refused, context } = tcpTargets(
      { tcp: '{path.name}', targets: `file:${file}` },
      {
        match: { path: '/{name}' },
        deps: {
          files,
          logger: pino(log),
          reloads: { reloaded: (kind, outcome) => void outcomes.push(`${kind} ${outcome}`) },
        },
      },
    );
    (await visit({ url: '/a' })).release();
    (await visit({ url: '/b' })).release();
    await writeFile(file, 'b: 10.0.0.2:1\nc: 10.0.0.3:1\n');
    await files.renew();
    expect((await refused({ url: '/a' })).code).toBe('TARGET_REFUSED');
    expect((await visit({ url: '/c' })).name).toBe('10.0.0.3:1');
    expect([...context.endpoints].map(({ name }) => name)).toEqual(['10.0.0.2:1', '10.0.0.3:1']);
    await writeFile(file, 'c: 10.0.0.3:1\nsecret: nonsense\n');
    await files.renew();
    await files.renew();
    expect((await visit({ url: '/b' })).name).toBe('10.0.0.2:1');
    expect(outcomes).toEqual(['targets renewed', 'targets refused', 'targets refused']);
    expect(JSON.stringify(log.parsed)).toContain(`${file}:2:1 what follows the name is not host:port`);
    expect(JSON.stringify(log.parsed)).not.toContain('secret');
    await writeFile(file, 'b: 10.0.0.2:1\nc: 10.0.0.3:1\n');
    await files.renew();
    expect(outcomes).toHaveLength(3);
  });

  test('may be a folder, to which files are added', async () => {
    const file = await fileWith('a: h:1\n');
    const files = new WatchedFiles({ everyMs: 5 });
    onTestFinished(() => files.close());
    let changes = 0;
    let changed = () => {};
    const next = () => new Promise<void>((resolve) => (changed = resolve));
    const deps = { files, logger: pino({ enabled: false }) };
    const table = new TargetTable({ file: join(file, '..') }, deps, () => {
      changes += 1;
      changed();
    });
    const added = next();
    await writeFile(join(file, '..', 'more'), 'b: h:2\n');
    await added;
    expect(table.find('b')).toEqual({ host: 'h', port: 2 });
    const altered = next();
    await writeFile(join(file, '..', 'more'), 'b: h:33\n');
    await altered;
    expect([table.find('b'), table.find('a'), changes]).toEqual([
      { host: 'h', port: 33 },
      { host: 'h', port: 1 },
      2,
    ]);
    table.close();
  });

  test('that cannot be used is an error at the start', async () => {
    const file = await fileWith('nonsense\n');
    const open = () =>
      tcpTargets({ tcp: '{path.name}', targets: `file:${file}` }, { match: { path: '/{name}' } });
    expect(open).toThrow(`${file}:1:1 is not name: host:port`);
  });
});

test('a table without a file is watched by nobody', () => {
  const files = { watch: () => expect.unreachable('nothing to watch') };
  const table = new TargetTable(TABLE, { files, logger: pino({ enabled: false }) });
  expect(table.find('desk-7')).toEqual({ host: '10.0.0.7', port: 5900 });
});
