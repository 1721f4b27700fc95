import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Addresses, lookUp, NoSuchName } from '../../../src/upstream/names/lookup.ts';
import { Resolver } from '../../../src/upstream/names/resolver.ts';
import { HostWatch } from '../../../src/upstream/names/watch.ts';
import { type DnsAnswer, startDns } from '../../support/dns.ts';

let folder: string;
let files: { hostsFile: string; resolvConf: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-names-'));
  files = { hostsFile: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf') };
  await writeFile(files.hostsFile, '10.9.9.9 listed\n2001:db8::9 listed\n');
  await writeFile(files.resolvConf, 'search ns.local\noptions ndots:2\n');
});
afterAll(() => rm(folder, { recursive: true }));

const { signal } = new AbortController();

/** Looks one name up at a server that answers so. */
async function ask(name: string, answer: (name: string, type: 'A' | 'AAAA') => DnsAnswer) {
  await using dns = await startDns(answer);
  return await lookUp(name, { ...files, servers: [dns.address] }, signal).then(
    (found) => ({ found, questions: dns.questions }),
    (error: Error) => ({ error, questions: dns.questions }),
  );
}

describe('a lookup', () => {
  test('asks for both families, puts IPv6 first and takes the shortest TTL', async () => {
    const { found } = (await ask('a.b.c', (_, type) =>
      type === 'A'
        ? { ttl: 7, addresses: ['10.0.0.1', '10.0.0.2'] }
        : { ttl: 60, addresses: ['2001:db8::1'] },
    )) as { found: Addresses };
    expect(found.addresses).toHaveLength(3);
    expect(found).toMatchObject({
      addresses: expect.arrayContaining(['10.0.0.1', '10.0.0.2']),
      ttlMs: 7_000,
    });
    expect(found.addresses[0]).toBe('2001:db8::1');
  });

  test('leaves no timer when both families have answered', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const answered = await ask('a.b.c', (_, type) => ({
      ttl: 7,
      addresses: [type === 'A' ? '10.0.0.1' : '2001:db8::1'],
    }));
    expect(answered).toMatchObject({ found: { addresses: ['2001:db8::1', '10.0.0.1'] } });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not wait for a family that is silent', async () => {
    const startedAt = performance.now();
    const answered = await ask('a.b.c', (_, type) =>
      type === 'A' ? { ttl: 7, addresses: ['10.0.0.1'] } : 'silence',
    );
    expect(answered).toMatchObject({ found: { addresses: ['10.0.0.1'] } });
    expect(performance.now() - startedAt).toBeLessThan(4_000);
  });

  test('puts the suffixes of resolv.conf on', async () => {
    const { found, questions } = (await ask('chat', (name) =>
      name === 'chat.ns.local' ? { ttl: 7, addresses: ['10.0.0.1'] } : 'nxdomain',
    )) as { found: Addresses; questions: string[] };
    expect(found.addresses).toEqual(['10.0.0.1']);
    expect(questions.sort()).toEqual(['chat.ns.local A', 'chat.ns.local AAAA']);
  });

  test.each([
    ['LISTED', ['2001:db8::9', '10.9.9.9']],
    ['localhost', ['::1', '127.0.0.1']],
    ['app.localhost.', ['::1', '127.0.0.1']],
  ])('of %s asks nobody', async (name, addresses) => {
    expect(await ask(name, () => 'servfail')).toMatchObject({ found: { addresses }, questions: [] });
  });

  test.each([
    ['does not exist', 'nxdomain', NoSuchName],
    ['has no address', { ttl: 1, addresses: [] }, NoSuchName],
    ['cannot be had', 'servfail', Error],
  ] as const)('of a name that %s says so', async (_, answer, kind) => {
    const { error } = (await ask('a.b.c', () => answer)) as { error: Error };
    expect(error).toBeInstanceOf(kind);
    expect(error instanceof NoSuchName).toBe(kind === NoSuchName);
  });

  test('ends when it is cancelled', async () => {
    await using dns = await startDns(() => 'silence');
    const leaving = new AbortController();
    const looking = lookUp('a.b.c', { ...files, servers: [dns.address] }, leaving.signal);
    leaving.abort();
    await expect(looking).rejects.toMatchObject({ code: 'ECANCELLED' });
  });
});

/** A resolver whose lookups are answered by hand, and whose clock stands still. */
function byHand() {
  const asked: { name: string; answer: (found: Addresses) => void; fail: (error: Error) => void }[] = [];
  const clock = { ms: 0 };
  const lookup = (name: string) =>
    new Promise<Addresses>((answer, fail) => {
      asked.push({ name, answer, fail });
    });
  const resolver = new Resolver({ now: () => clock.ms, lookups: { dns: lookup, system: lookup } });
  return { asked, clock, resolver };
}

describe('a resolver', () => {
  test('has one lookup of a name under way, however many ask', async () => {
    const { asked, resolver } = byHand();
    const both = [resolver.resolve('a', 'dns'), resolver.resolve('a', 'dns')];
    expect(asked).toHaveLength(1);
    asked[0]?.answer({ addresses: ['10.0.0.1'], ttlMs: 5_000 });
    expect((await Promise.all(both)).map(({ addresses }) => addresses)).toEqual([['10.0.0.1'], ['10.0.0.1']]);
  });

  test.each([
    [0, 1_000],
    [5_000, 5_000],
    [86_400_000, 300_000],
  ])('keeps an answer with a TTL of %i ms for %i ms', async (ttlMs, keptMs) => {
    const { asked, clock, resolver } = byHand();
    const first = resolver.resolve('a', 'dns');
    asked[0]?.answer({ addresses: ['10.0.0.1'], ttlMs });
    await first;
    clock.ms = keptMs - 1;
    await resolver.resolve('a', 'dns');
    expect(asked).toHaveLength(1);
    clock.ms = keptMs;
    void resolver.resolve('a', 'dns');
    expect(asked).toHaveLength(2);
  });

  test.each([
    [new NoSuchName('a', 'ENOTFOUND'), true, 5_000],
    [new Error('no answer'), false, 1_000],
  ])('keeps the failure %s', async (failure, isGone, keptMs) => {
    const { asked, clock, resolver } = byHand();
    const first = resolver.resolve('a', 'dns');
    asked[0]?.fail(failure);
    expect(await first).toMatchObject({ addresses: [], failure, isGone });
    clock.ms = keptMs - 1;
    expect(await resolver.resolve('a', 'dns')).toMatchObject({ failure });
    clock.ms = keptMs;
    void resolver.resolve('a', 'dns');
    expect(asked).toHaveLength(2);
  });

  test('keeps 4,096 answers, and of more the oldest goes', async () => {
    let lookups = 0;
    const lookup = async () => {
      lookups += 1;
      return { addresses: ['10.0.0.1'], ttlMs: 60_000 };
    };
    const resolver = new Resolver({ now: () => 0, lookups: { dns: lookup, system: lookup } });
    for (let at = 0; at <= 4_096; at++) await resolver.resolve(`n${at}`, 'dns');
    await resolver.resolve('n1', 'dns');
    expect(lookups).toBe(4_097);
    await resolver.resolve('n0', 'dns');
    expect(lookups).toBe(4_098);
  });

  test('has 256 lookups under way for clients, beside those of the configuration and those there is an answer to', async () => {
    const { asked, resolver } = byHand();
    const known = resolver.resolveFree('known', 'dns');
    asked[0]?.answer({ addresses: ['10.0.0.1'], ttlMs: 5_000 });
    await known;
    for (let at = 0; at < 256; at++) expect(resolver.resolveFree(`n${at}`, 'dns')).toBeDefined();
    expect(resolver.resolveFree('more', 'dns')).toBeUndefined();
    expect(resolver.resolveFree('n7', 'dns')).toBeDefined();
    expect(await resolver.resolveFree('known', 'dns')).toMatchObject({ addresses: ['10.0.0.1'] });
    void resolver.resolve('configured', 'dns');
    expect(asked.at(-1)?.name).toBe('configured');
  });

  test('asks the system only where it is told to', async () => {
    const resolver = new Resolver();
    const { addresses } = await resolver.resolve('localhost', 'system');
    expect(addresses).toContain('127.0.0.1');
    resolver.close();
    expect((await resolver.resolve('localhost', 'system')).failure).toMatchObject({ name: 'AbortError' });
  });
});

describe('a host that is watched', () => {
  function watch(host: string) {
    const hand = byHand();
    const heard: (readonly string[])[] = [];
    const { resolver, clock } = hand;
    const watched = new HostWatch(host, {
      resolver,
      kind: 'dns',
      now: () => clock.ms,
      onChange: (now) => heard.push(now),
    });
    watched.start();
    return { ...hand, heard, watched };
  }

  test('is known at once if it is an address', () => {
    const { heard, asked, watched } = watch('2001:db8::1');
    watched.close();
    expect([heard, asked]).toEqual([[['2001:db8::1']], []]);
  });

  test('is told of when it changes, keeps what it had while nobody answers, and loses it when it is gone', async () => {
    const { heard, asked, clock, watched } = watch('a');
    /** Settles the next lookup; the first one is under way. */
    async function next(settle: (lookup: (typeof asked)[number]) => void): Promise<void> {
      clock.ms += 60_000;
      const refreshed = watched.refresh();
      settle(asked.at(-1) as (typeof asked)[number]);
      await refreshed;
    }
    await next(({ answer }) => answer({ addresses: ['10.0.0.1'], ttlMs: 1 }));
    await next(({ answer }) => answer({ addresses: ['10.0.0.1'], ttlMs: 1 }));
    await next(({ answer }) => answer({ addresses: ['10.0.0.2', '10.0.0.1'], ttlMs: 1 }));
    await next(({ fail }) => fail(new Error('silence')));
    expect(heard).toEqual([['10.0.0.1'], ['10.0.0.2', '10.0.0.1']]);
    await next(({ fail }) => fail(new NoSuchName('a', 'ENOTFOUND')));
    expect(heard.at(-1)).toEqual([]);
    expect(watched.failure).toBeInstanceOf(NoSuchName);
    watched.close();
  });
});
