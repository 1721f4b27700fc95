import { getEventListeners } from 'node:events';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../../src/errors.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import type { Destination } from '../../../src/upstream/connect.ts';
import { Resolver } from '../../../src/upstream/names/resolver.ts';
import { metric } from '../../support/census.ts';
import { tcpTargets } from '../../support/tcp-targets.ts';

const PARTS = { tcp: '{path.host}:{path.port}' };
const PUBLIC = '93.184.216.34';
const names = () => [PUBLIC];
const REFUSED = 'This target is not allowed, or there is none of that name.';

describe('what clients name', () => {
  test.each([
    [{ tcp: '{path.host}:{path.port}' }, '/{host}:{port}', { url: '/a.example:1' }],
    [{ tcp: '{path.target}' }, '/{target}', { url: '/a.example:1' }],
    [{ tcp: '{path.target}' }, '/{target}', { url: '/%61.example%3a1' }],
    [{ tcp: '{query.address}' }, '/v1', { url: '/v1?x=y&address=a.example:1' }],
    [{ tcp: '{query.host}:{query.port}' }, '/v1', { url: '/v1?host=a.example&port=1' }],
    [{ tcp: '{claims.target}' }, '/', { url: '/', claims: { target: 'a.example:1' } }],
    [{ tcp: '{claims.host}:{claims.port}' }, '/', { url: '/', claims: { host: 'a.example', port: 1 } }],
    [{ tcp: '{claims./app/target}' }, '/', { url: '/', claims: { app: { target: 'a.example:1' } } }],
    [{ tcp: '{path.db}.example:1' }, '/{db}', { url: '/a' }],
  ])('by %j is dialled', async (upstream, path, visit) => {
    const { visit: go, dialled } = tcpTargets(
      { ...upstream, allow: 'a.example:1' },
      { match: { path }, names },
    );
    expect(await go(visit)).toMatchObject({
      asked: 'a.example:1',
      name: `a.example:1/${PUBLIC}`,
      label: 'a.example:1',
      chosen: { asked: 'a.example:1', rule: 'a.example:1' },
    });
    expect(dialled).toMatchObject([{ host: PUBLIC, port: 1 }]);
  });

  test('an IPv4-mapped address is dialled as that of IPv4', async () => {
    const { visit, dialled } = tcpTargets({ ...PARTS, allow: '10.0.0.0/8:1' });
    const reached = await visit({ url: '/[::ffff:10.0.0.7]:1' });
    expect(reached).toMatchObject({ asked: '[::ffff:a00:7]:1', name: '[::ffff:a00:7]:1/10.0.0.7' });
    expect(dialled).toMatchObject([{ host: '10.0.0.7' }]);
  });

  test('by a label of the host is dialled', async () => {
    const match = { host: '*.db.example.com', path: '/' };
    const { visit, dialled } = tcpTargets(
      { tcp: '{host.label}.example:1', allow: 'acme.example:1' },
      { match, names },
    );
    await visit({ url: '/', host: 'acme.db.example.com' });
    expect(dialled).toHaveLength(1);
  });

  test('an address is dialled as it stands, and its name has no second one', async () => {
    const { visit, dialled, asked } = tcpTargets({ ...PARTS, allow: '[fd00::]/8:1' });
    expect(await visit({ url: '/[FD00:0::7]:1' })).toMatchObject({
      asked: '[fd00::7]:1',
      name: '[fd00::7]:1',
    });
    expect([asked, dialled]).toMatchObject([[], [{ host: 'fd00::7' }]]);
  });

  test.each([
    [{ tcp: '{query.address}' }, '/v1', '/v1', '?address=host:port is expected.'],
    [{ tcp: '{query.address}' }, '/v1', '/v1?address=', '?address=host:port is expected.'],
    [{ tcp: '{query.address}' }, '/v1', '/v1?address=a:1&address=b:1', '?address=host:port is expected.'],
    [{ tcp: '{query.h}:{query.p}' }, '/v1', '/v1?h=a', '?h= and ?p= is expected.'],
    [{ tcp: '{query.address}' }, '/v1', '/v1?address=a', '?address=host:port is expected.'],
    [{ tcp: '{path.t}' }, '/{t}', '/a', 'host:port is expected, IPv6 in brackets.'],
    [{ tcp: '{path.t}' }, '/{t}', '/%ff:1', 'host:port is expected, IPv6 in brackets.'],
    [{ tcp: `{query.${'x'.repeat(90)}}` }, '/v1', '/v1', 'host:port is expected, IPv6 in brackets.'],
  ])(
    'that is missing or malformed is 400, and what is expected is said: %j %s %s',
    async (tcp, path, url, text) => {
      const { refused } = tcpTargets({ ...tcp, allow: 'a:1' }, { match: { path } });
      const error = await refused({ url });
      expect([error.status, error.message]).toEqual([400, `The target is missing or malformed: ${text}`]);
      expect(error.detail).toMatch(/^there is|is not host:port$|is not UTF-8$/);
      expect(Buffer.byteLength(error.message)).toBeLessThanOrEqual(123);
    },
  );
});

describe('whoever may not', () => {
  const allow = ['*.example:1', { host: '*.internal:1', resolvesTo: '10.0.0.0/8' }, '10.0.0.0/8:1'];
  const internal = (name: string) => (name.endsWith('.internal') ? ['10.0.0.1'] : names());

  test.each([
    ['/b.other:1', undefined, 'no rule of allow fits it', { asked: 'b.other:1' }],
    ['/b.example:2', undefined, 'no rule of allow fits it', { asked: 'b.example:2' }],
    ['/10.0.0.1:2', undefined, 'no rule of allow fits it', { asked: '10.0.0.1:2' }],
    ['/a.example:1', {}, 'the claim may is missing, or no list of host:port', { asked: 'a.example:1' }],
    ['/a.example:1', { may: 7 }, 'the claim may is missing, or no list of host:port', {}],
    ['/a.example:1', { may: [] }, 'the claim may does not allow it', {}],
    ['/a.example:1', { may: ['a.example:1', 'nonsense'] }, 'the claim may is missing, or no list', {}],
    ['/a.example:1', { may: [{ host: 'a.example:1' }] }, 'the claim may is missing, or no list', {}],
    ['/a.example:1', { may: `a.example:1${' '.repeat(400)}` }, 'the claim may is missing, or no list', {}],
    ['/a.example:1', { may: Array(101).fill('a.example:1') }, 'the claim may is missing, or no list', {}],
    ['/a.example:1', { may: 'b.example:1' }, 'the claim may does not allow it', {}],
    ['/a.internal:1', { may: '10.0.0.0/8:1' }, 'the claim may does not allow it', {}],
    ['/c.other:1', { may: '*.other:1' }, 'no rule of allow fits it', {}],
    ['/10.1.0.1:1', { may: '10.2.0.0/16:1' }, 'the claim may does not allow it', {}],
  ])('reads the same as everybody, and the log says why: %s with %j', async (url, claims, detail, chosen) => {
    const allowClaim = claims === undefined ? undefined : 'may';
    const { refused, dialled, asked } = tcpTargets({ ...PARTS, allow, allowClaim }, { names: internal });
    const error = await refused({ url, ...(claims && { claims }) });
    expect([error.code, error.message]).toEqual(['TARGET_REFUSED', REFUSED]);
    expect(error.detail).toContain(detail);
    expect(error.chosen).toMatchObject(chosen);
    expect([dialled, asked]).toEqual([[], []]);
  });

  test.each([
    ['/a.example:1', 'a.example:1'],
    ['/a.internal:1', ['x:1', '*.internal:*']],
    ['/10.2.3.4:1', '10.2.0.0/16:*'],
    ['/10.2.3.4:1', '0.0.0.0/0:*'],
    ['/a.example:1', [...Array(99).fill('x:1'), 'a.example:1']],
  ])('by a claim, may still: %s by %j', async (url, may) => {
    const { visit, dialled } = tcpTargets({ ...PARTS, allow, allowClaim: 'may' }, { names: internal });
    await visit({ url, claims: { may } });
    expect(dialled).toHaveLength(1);
  });

  test('may only go on with a token that says the same of what has named the target', async () => {
    const match = { path: '/{port}' };
    const upstream = { tcp: '{claims.host}:{path.port}', allow: 'a.example:1', allowClaim: 'may' };
    const { visit } = tcpTargets(upstream, { match, names });
    const reached = await visit({ url: '/1', claims: { host: 'a.example', may: 'a.example:1' } });
    expect(reached.namedBy).toEqual(['host', 'may']);
  });

  test('has no claim that a target could be made of', async () => {
    const { refused } = tcpTargets({ tcp: '{claims.target}', allow: 'a:1' }, { match: { path: '/' } });
    for (const target of [undefined, '', null, 1.5, ['a:1'], {}]) {
      const error = await refused({ url: '/', claims: { target } });
      expect([error.code, error.detail]).toEqual([
        'TARGET_REFUSED',
        'the client has no claim target that is a text',
      ]);
    }
  });

  test('is told nothing of what a name leads to; the log is', async () => {
    const { refused, dialled } = tcpTargets(
      { ...PARTS, allow: '*:1' },
      { names: () => [PUBLIC, '10.0.0.1'] },
    );
    const error = await refused({ url: '/db:1' });
    expect([error.status, error.message]).toEqual([403, REFUSED]);
    expect(error.detail).toBe('10.0.0.1 is private (10.0.0.1), and the rule has no resolvesTo');
    expect(error.chosen).toEqual({ asked: 'db:1', rule: '*:1' });
    expect(dialled).toEqual([]);
  });
});

test('an address of this machine is refused, though it is a public one', async () => {
  const isOwn = (address: string) => address === PUBLIC;
  const { refused, dialled } = tcpTargets({ ...PARTS, allow: '*:1' }, { names, context: { isOwn } });
  expect((await refused({ url: '/db:1' })).detail).toBe(
    `${PUBLIC} is an address of this machine, and no rule names it alone`,
  );
  expect(dialled).toEqual([]);
});

describe('the addresses of a name', () => {
  const dead = async () => {
    throw new GatewayError('UPSTREAM_REFUSED', { detail: 'no' });
  };

  test('are tried by turns of their families, six of them, each once', async () => {
    const tried: string[] = [];
    const connect = (where: Destination) => {
      tried.push(where.host);
      return dead();
    };
    const all = [
      '2606::1',
      '2606::2',
      '2606::3',
      '2606::4',
      '2606::5',
      '1.0.0.1',
      '::ffff:1.0.0.1',
      '1.0.0.2',
    ];
    const { refused } = tcpTargets({ ...PARTS, allow: 'a:1' }, { names: () => all, context: { connect } });
    const error = await refused({ url: '/a:1' });
    expect(tried).toEqual(['2606::1', '1.0.0.1', '2606::2', '1.0.0.2', '2606::3', '2606::4']);
    expect([error.code, error.status]).toEqual(['UPSTREAM_REFUSED', 502]);
    expect(error.message).not.toMatch(/\d+\.\d+|::/);
    expect(error.dials?.map(({ target }) => target)).toEqual(tried.map((address) => `a:1/${address}`));
    expect(error.chosen).toEqual({ asked: 'a:1', rule: 'a:1' });
  });

  test('are raced: a silent one does not hold up the next', async () => {
    const given: AbortSignal[] = [];
    const connect = async (where: Destination, signal: AbortSignal) => {
      given.push(signal);
      if (where.host === '1.0.0.2') return new Socket();
      return new Promise<Socket>((_, reject) =>
        signal.addEventListener('abort', () => reject(new GatewayError('UPSTREAM_TIMEOUT'))),
      );
    };
    const { visit } = tcpTargets(
      { ...PARTS, allow: 'a:1' },
      { names: () => ['1.0.0.1', '1.0.0.2'], context: { connect } },
    );
    expect((await visit({ url: '/a:1' })).name).toBe('a:1/1.0.0.2');
    expect(given[0]?.aborted).toBe(true);
  });

  test('are none: the client cannot tell that from a name that leads where it may not go', async () => {
    const inside = (name: string) => (name === 'there' ? ['10.0.0.1'] : undefined);
    const { refused } = tcpTargets({ ...PARTS, allow: '*:1' }, { names: inside });
    const [there, not] = [await refused({ url: '/there:1' }), await refused({ url: '/not:1' })];
    const told = ({ status, close, message, headers }: GatewayError) => ({ status, close, message, headers });
    expect(told(not)).toEqual(told(there));
    expect([there.status, there.message]).toEqual([403, REFUSED]);
    expect([not.detail, not.chosen?.rule]).toEqual(['its name has no address', '*:1']);
  });

  test('are not known for now: that is no refusal', async () => {
    const lookup = () => Promise.reject(new Error('ESERVFAIL'));
    const resolver = new Resolver({ lookups: { dns: lookup, system: lookup } });
    const { refused } = tcpTargets({ ...PARTS, allow: 'a:1' }, { context: { resolver } });
    const { status, detail, chosen } = await refused({ url: '/a:1' });
    expect([status, detail, chosen?.rule]).toEqual([502, 'its name cannot be looked up', 'a:1']);
  });

  test('are not waited for by a client that has left', async () => {
    const lookup = () => new Promise<never>(() => {});
    const resolver = new Resolver({ lookups: { dns: lookup, system: lookup } });
    const leaving = new AbortController();
    const { refused } = tcpTargets({ ...PARTS, allow: 'a:1' }, { context: { resolver } });
    const outcome = refused({ url: '/a:1', signal: leaving.signal });
    leaving.abort();
    expect((await outcome).code).toBe('UPSTREAM_TIMEOUT');
    expect((await refused({ url: '/a:1', signal: AbortSignal.abort() })).code).toBe('UPSTREAM_TIMEOUT');
  });

  test('leave nothing with the client that has waited for them', async () => {
    const { signal } = new AbortController();
    const { visit } = tcpTargets({ ...PARTS, allow: 'a:1' }, { names });
    await visit({ url: '/a:1', signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('of 256 names at a time are looked up, and no more', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const lookup = async () => {
      await held;
      return { addresses: [PUBLIC], ttlMs: 1_000 };
    };
    const resolver = new Resolver({ lookups: { dns: lookup, system: lookup } });
    const { visit, refused } = tcpTargets({ ...PARTS, allow: '*:1' }, { context: { resolver } });
    const waiting = Array.from({ length: 256 }, (_, at) => visit({ url: `/n${at}:1` }));
    const error = await refused({ url: '/one-more:1' });
    expect([error.code, error.detail]).toEqual(['ROUTE_FULL', 'too many names are being looked up']);
    const same = visit({ url: '/n7:1' });
    release();
    await Promise.all([...waiting, same]);
    await visit({ url: '/one-more:1' });
  });
});

test('metrics know the rules, and no name of a client', async () => {
  const { visit, refused, context, close } = tcpTargets(
    { ...PARTS, allow: ['*.example:1', '10.0.0.0/8:*'] },
    {
      names: (name) => (name === 'none.example' ? undefined : names()),
      context: {
        observer: {
          dialled: (...dial) => metrics.dialled(...dial),
          forgotten: (endpoint) => metrics.forgotten(endpoint),
          healthChanged() {},
        },
      },
    },
  );
  const metrics = createMetrics({ open: () => [], endpoints: () => context.endpoints.records() });
  const value = async (name: string, labels: object) =>
    metric(await metrics.render(), `sallyport_upstream_${name}`, { route: 'r', ...labels });
  const rule = { target: '*.example:1' };
  const reached = await visit({ url: '/one.example:1' });
  await visit({ url: '/two.example:1' });
  await refused({ url: '/none.example:1' });
  expect(await value('dials_total', { ...rule, outcome: 'connected' })).toBe(2);
  expect(await value('sessions', rule)).toBe(2);
  reached.release();
  reached.release();
  expect(await value('sessions', rule)).toBe(1);
  expect(await metrics.render()).not.toContain('one.example');
  close();
  expect(await value('dials_total', { ...rule, outcome: 'connected' })).toBe(0);
});
