import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { AdmittedRequest } from '../../../src/upstream/forward.ts';
import {
  dropAtRandom,
  LINGER,
  lost,
  NUMBERS,
  namesOf,
  numbers,
  pathsOf,
  Returner,
  upTo,
} from '../../support/lingering.ts';
import { closeOf, fixtures, until } from '../../support/poll.ts';

/** A client that is lost comes back, and goes on with the same session at the service. */

const { service, harness, undo } = fixtures();
afterEach(undo);

describe('a client that comes back', () => {
  test('goes on with the same session, of which the service notices nothing', async () => {
    const backend = await service((request, response) => {
      if (request.url.startsWith('/open')) response.setHeader('set-cookie', 'at=home').end('{"id":"s1"}');
      else void numbers(2)(request, response);
    });
    const open = { path: '/open', session: 'json:/id' };
    const gateway = await harness({ target: backend.url, ...NUMBERS, open, linger: LINGER });
    const client = new Returner(gateway);
    await client.come('');
    expect(await client.atLeast(2)).toEqual(upTo(2));
    await lost(gateway, client);
    (await client.come('')).send('hello');
    await until(() => pathsOf(backend).includes('/send'));
    expect(pathsOf(backend)).toEqual(['/open?a=1', '/send']);
    expect(backend.requests.at(-1)?.headers.cookie).toBe('at=home');
    expect(namesOf(backend).size).toBe(1);
    client.client.close(1000);
    await until(() => pathsOf(backend).includes('/leave?code=1000'));
    expect(client.texts).toEqual(upTo(2));
  });

  test('never has its token told to the service', async () => {
    const backend = await service(numbers(1));
    const gateway = await harness({
      target: backend.url,
      ...NUMBERS,
      open: { path: '/open' },
      linger: { ...LINGER, token: 'subprotocol:resume.' },
      headers: { pass: ['sec-websocket-protocol'], add: { 'x-query': '{query}' } },
    });
    const token = `resume.${'x'.repeat(22)}`;
    const client = await gateway.connect({ protocols: ['chat', token] });
    expect(client.protocol).toBe('chat');
    await until(() => backend.requests.length === 3);
    client.terminate();
    await gateway.endings[0];
    expect((await gateway.connect({ protocols: ['chat', `${token}.1`] })).protocol).toBe('chat');
    expect(pathsOf(backend)).toEqual(['/open']);
    expect(JSON.stringify(backend.requests)).not.toContain('xxxxx');
  });

  test('without a token begins a session of its own, which ends with it', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    (await gateway.connect()).terminate();
    await until(() => pathsOf(backend).includes('/leave?code=1006'));
  });

  test.each(['short', `${'x'.repeat(21)}`, `${'x'.repeat(22)}.`, `${'x'.repeat(22)}!`, 'x'.repeat(129)])(
    'with the token %s is refused',
    async (token) => {
      const backend = await service(numbers(0));
      const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
      await expect(gateway.connect({ path: `/rooms/blue?resume=${token}` })).rejects.toThrow('400');
      expect(backend.requests).toEqual([]);
    },
  );

  test('to a session that is over, though it has received messages of it, is refused', async () => {
    const backend = await service(numbers(1));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const path = `/rooms/blue?resume=${'x'.repeat(22)}`;
    await expect(gateway.connect({ path: `${path}.1` })).rejects.toThrow('410');
    await gateway.connect({ path: `${path}.0` });
    await expect(gateway.connect({ path: `${path}.7` })).rejects.toThrow('410');
    expect(namesOf(backend).size).toBe(1);
  });

  test('is another one if its subject is another, or its issuer', async () => {
    const backend = await service(numbers(1));
    const request: { grant?: AdmittedRequest['grant'] } = {};
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER }, { request });
    const client = new Returner(gateway);
    const grants = [{ subject: 'ann' }, { subject: 'bob' }, { subject: 'ann', issuer: 'other' }];
    for (const grant of grants) {
      request.grant = { ...grant, claims: {}, releases: [] };
      await client.come('');
    }
    await until(() => namesOf(backend).size === 3);
    request.grant = { subject: 'bob', claims: {}, releases: [] };
    await client.come('');
    expect(gateway.endings.length).toBe(4);
    expect(await gateway.endings[1]).toMatchObject({ code: 4409 });
  });
});

describe('a client that closes', () => {
  test('is done, also with 1001', async () => {
    const backend = await service(numbers(0));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    (await client.come()).close(1001);
    await until(() => pathsOf(backend).includes('/leave?code=1001'));
    expect((await gateway.endings[0])?.lingers).toBeUndefined();
  });
});

describe('a second client with the same token', () => {
  test('takes over, and the first is closed with 4409', async () => {
    const backend = await service(numbers(3));
    const gateway = await harness({ target: backend.url, ...NUMBERS, linger: LINGER });
    const client = new Returner(gateway);
    const first = await client.come();
    await client.atLeast(3);
    const closed = closeOf(first);
    await client.come();
    expect(await closed).toMatchObject({ code: 4409 });
    client.client.send('hello');
    await until(() => pathsOf(backend).includes('/send'));
    expect([client.texts, namesOf(backend).size]).toEqual([upTo(3), 1]);
    expect(await (await gateway.endings[0])?.lingers).toBeUndefined();
  });
});

test.each([1, 2, 3])(
  'nothing is lost and nothing doubled over connections that end at random, seed %i',
  async (seed) => {
    const { texts, names } = await dropAtRandom({ service, harness }, 50, seed);
    expect([texts, names]).toEqual([upTo(texts.length), 1]);
  },
);

test('a session that nobody comes back to ends in time, and the service is told', async () => {
  const backend = await service(numbers(1));
  const gateway = await harness({ target: backend.url, ...NUMBERS, linger: { ...LINGER, for: '50ms' } });
  const client = new Returner(gateway);
  await client.come();
  await client.atLeast(1);
  client.vanish();
  await until(() => pathsOf(backend).includes('/leave?code=1006'));
  const again = client.begin();
  const [error] = (await once(again, 'error')) as [Error];
  expect(error.message).toContain('410');
});

test('of two that begin with one token at once the later one goes on', async () => {
  const opens: (() => void)[] = [];
  const backend = await service((request, response) => {
    if (request.url.startsWith('/open')) opens.push(() => response.end());
    else void numbers(0)(request, response);
  });
  const route = { target: backend.url, ...NUMBERS, open: { path: '/open' }, linger: LINGER };
  const client = new Returner(await harness(route));
  const [first, second] = [client.begin(), client.begin()];
  await until(() => opens.length === 2);
  const closed = closeOf(first);
  opens[0]?.();
  await once(first, 'open');
  opens[1]?.();
  expect((await closed).code).toBe(4409);
  await until(() => pathsOf(backend).includes('/leave?code=4409'));
  second.send('hello');
  await until(() => pathsOf(backend).includes('/send'));
});
