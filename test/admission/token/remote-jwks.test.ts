import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openKeys } from '../../../src/admission/token/keys.ts';
import type { RemoteDeps } from '../../../src/admission/token/remote-jwks.ts';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import { type IdentityProvider, startIdentityProvider } from '../../support/identity.ts';
import { codeOf, issuer, jwk, keySet, mint, NOW_MS, signingKey } from '../../support/tokens.ts';

const OLD = signingKey('ES256');
const NEW = signingKey('ES256');
const oldSet = keySet(jwk(OLD, { kid: 'old' }));
const newSet = keySet(jwk(NEW, { kid: 'new' }));
const oldToken = mint(OLD, {}, { kid: 'old' });
const newToken = mint(NEW, {}, { kid: 'new' });

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

type Answer = Parameters<IdentityProvider['answer']>[0];

function down(_: IncomingMessage, response: ServerResponse) {
  response.destroy();
}

/** What a verifier logs, and when it has first said how its fetch went. */
function startLog() {
  const [infos, warnings]: object[][] = [[], []];
  const begun = Promise.withResolvers<void>();
  const keep = (lines: object[] = []) =>
    function log(line: object) {
      lines.push(line);
      begun.resolve();
    };
  const logger = { info: keep(infos), warn: keep(warnings) } as unknown as RemoteDeps['logger'];
  return { infos, warnings, logger, begun: begun.promise };
}

/** A provider that gives `first`, and a verifier that has asked it once. `clock.ms` is the time both clocks show. */
async function setUp(first: Answer, times?: RemoteDeps['times']) {
  const provider = await startIdentityProvider(first);
  const clock = { ms: 0 };
  const { infos, warnings, logger, begun } = startLog();
  const verifier = await createVerifier(issuer({ jwks: provider.url }), {
    now: () => NOW_MS,
    monotonic: () => clock.ms,
    logger,
    times,
  });
  onTestFinished(async () => {
    verifier.close();
    await provider.close();
  });
  await begun;
  return { provider, clock, verifier, infos, warnings };
}

/** Tokens nobody signed, each naming a key nobody has. */
function strangers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: `made-up-${index}` })).toString(
      'base64url',
    );
    return `${header}.e30.${'A'.repeat(86)}`;
  });
}

describe('fetching', () => {
  test('happens once at start, and not for the tokens that follow', async () => {
    const { provider, verifier } = await setUp(oldSet);
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(oldToken)));
    expect(provider.hits).toBe(1);
  });

  test('is not waited for by who opens the verifier, but by the tokens that come meanwhile', async () => {
    const asked = Promise.withResolvers<ServerResponse>();
    const provider = await startIdentityProvider((_, response) => asked.resolve(response));
    const verifier = await createVerifier(issuer({ jwks: provider.url }), { now: () => NOW_MS });
    onTestFinished(() => provider.close());
    expect(verifier.ready).toBe(false);
    const waiting = Promise.all(Array.from({ length: 200 }, () => verifier.verify(oldToken)));
    (await asked.promise).end(oldSet);
    await expect(waiting).resolves.toHaveLength(200);
    expect(verifier.ready).toBe(true);
    expect(provider.hits).toBe(1);
    verifier.close();
  });

  test('is not to be had by inventing kids', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    const tokens = strangers(10_000);
    const refused = (token: string) => expect(codeOf(verifier.verify(token))).resolves.toBe('TOKEN_INVALID');
    await Promise.all(tokens.slice(0, 5_000).map(refused));
    expect(provider.hits).toBe(1);
    clock.ms += 30 * SECOND;
    await Promise.all(tokens.slice(5_000).map(refused));
    expect(provider.hits).toBe(2);
  });

  test('comes to two in 30 s under a flood of invented kids, one of them after 5 s', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    const hitsAt: number[] = [];
    for (; clock.ms < 95 * SECOND; clock.ms += SECOND / 2) {
      const hits = provider.hits;
      await Promise.all(strangers(5).map((token) => codeOf(verifier.verify(token))));
      if (provider.hits > hits) hitsAt.push(clock.ms / SECOND);
    }
    expect(hitsAt).toEqual([5, 30, 35, 60, 65, 90]);
  });

  test('is not to be had by any token while there are no keys: it goes by the clock', async () => {
    const { provider, clock, verifier } = await setUp(down);
    const refused = () => expect(codeOf(verifier.verify(oldToken))).resolves.toBe('KEYS_UNAVAILABLE');
    for (let turn = 0; turn < 20; turn += 1) await refused();
    clock.ms += HOUR;
    await refused();
    expect(provider.hits).toBe(1);
  });

  test('cools down after an empty key set too', async () => {
    const { provider, verifier } = await setUp(keySet());
    for (const token of strangers(20)) await codeOf(verifier.verify(token));
    expect(provider.hits).toBe(1);
  });

  test('goes on in the background', async () => {
    const { provider, verifier } = await setUp(oldSet, { refreshMs: 5 });
    provider.answer(newSet);
    await provider.requested(4);
    await expect(verifier.verify(newToken)).resolves.toBeDefined();
    await expect(codeOf(verifier.verify(oldToken))).resolves.toBe('TOKEN_INVALID');
  });

  test('goes on in the background while the provider is down', async () => {
    const { provider, verifier } = await setUp(down, { retryMs: 5, mostRetryMs: 10 });
    await provider.requested(3);
    provider.answer(oldSet);
    await expect.poll(() => verifier.ready, { timeout: 10_000 }).toBe(true);
  });

  test('ends with close, in flight or to come', async () => {
    const { provider, clock, verifier } = await setUp(oldSet, { deadlineMs: HOUR });
    clock.ms += 30 * SECOND;
    const cut = new Promise<void>((resolve) => {
      provider.answer((request) => once(request.socket, 'close').then(() => resolve()));
    });
    const pending = codeOf(verifier.verify(newToken));
    await provider.requested(2);
    verifier.close();
    verifier.close();
    await cut;
    await expect(pending).resolves.toBe('TOKEN_INVALID');
    clock.ms += HOUR;
    await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
    expect(provider.hits).toBe(2);
  });

  test.each([
    ['at rest', 0],
    ['in the middle of a fetch', 30 * SECOND],
  ])('leaves no timer behind when it is closed %s', async (_, elapsed) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    let ms = 0;
    const held = Promise.withResolvers<Response>();
    const answers = async () => (ms === 0 ? new Response(oldSet) : held.promise);
    const verifier = await createVerifier(issuer({ jwks: 'http://127.0.0.1:1/' }), {
      now: () => NOW_MS,
      monotonic: () => ms,
      fetch: answers,
    });
    await verifier.verify(oldToken);
    expect(vi.getTimerCount()).toBe(1);
    ms += elapsed;
    const pending = elapsed === 0 ? undefined : verifier.verify(newToken);
    await new Promise(setImmediate);
    verifier.close();
    held.resolve(new Response(newSet));
    await pending;
    expect(vi.getTimerCount()).toBe(0);
  });

  test('finds none for an algorithm that none of the keys is for', async () => {
    const provider = await startIdentityProvider(oldSet);
    const settings = issuer({ jwks: provider.url, algorithms: ['ES256', 'RS256'] });
    const keys = await openKeys(settings);
    onTestFinished(async () => {
      keys.close();
      await provider.close();
    });
    expect(await keys.find({ alg: 'ES256', kid: undefined })).toHaveLength(1);
    expect(await keys.find({ alg: 'RS256', kid: undefined })).toEqual([]);
  });

  test.each(['http://user:secret@127.0.0.1/jwks.json', 'https://', 'http:/\\'])(
    'refuses %s at start',
    async (jwks) => {
      const error = await createVerifier(issuer({ jwks })).catch((thrown: Error) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect((error as Error).message).not.toContain('secret');
    },
  );
});

describe('rotation', () => {
  test('brings a new key with its first token, if the last fetch is 5 s old', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    provider.answer(newSet);
    clock.ms += 5 * SECOND - 1;
    await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    clock.ms += 1;
    await expect(verifier.verify(newToken)).resolves.toBeDefined();
    expect(provider.hits).toBe(2);
  });

  test('within the cool-down is told with the kid, the age of the keys, and when they are fetched next', async () => {
    const { clock, verifier } = await setUp(oldSet);
    clock.ms += 2 * SECOND;
    const unknown = verifier.verify(mint(NEW, {}, { kid: `"${'k'.repeat(100)}` }));
    await expect(unknown).rejects.toMatchObject({
      detail: `kid "\\"${'k'.repeat(47)}…" for ES256 is not among the keys fetched 2 s ago; next fetch in 3 s`,
    });
    await expect(verifier.verify(mint(signingKey('ES384'), {}, {}))).rejects.toMatchObject({
      detail: 'the algorithm is not one of this issuer',
    });
  });

  test('refuses no good token under load where both keys are published for a while, or the new one at once', async () => {
    const both = keySet(jwk(OLD, { kid: 'old' }), jwk(NEW, { kid: 'new' }));
    const { provider, clock, verifier } = await setUp(oldSet);
    const load = async (key: typeof OLD, kid: string) => {
      const tokens = Array.from({ length: 50 }, (_, turn) => mint(key, { jti: `${kid}-${turn}` }, { kid }));
      await Promise.all(tokens.map((token) => verifier.verify(token)));
    };
    provider.answer(both);
    await load(OLD, 'old');
    clock.ms += 5 * SECOND;
    await Promise.all([load(OLD, 'old'), load(NEW, 'new')]);
    const third = signingKey('ES256');
    provider.answer(keySet(jwk(third, { kid: 'third' })));
    clock.ms += 30 * SECOND;
    await Promise.all([load(NEW, 'new'), load(third, 'third')]);
    expect(provider.hits).toBe(3);
  });

  test('is logged with the keys that have come and gone, and not when nothing has changed', async () => {
    const { provider, clock, verifier, infos } = await setUp(oldSet);
    provider.answer(newSet);
    clock.ms += 30 * SECOND;
    await verifier.verify(newToken);
    clock.ms += 30 * SECOND;
    await codeOf(verifier.verify(oldToken));
    expect(provider.hits).toBe(3);
    expect(infos).toMatchObject([
      { come: ['old'], gone: [] },
      { come: ['new'], gone: ['old'] },
    ]);
  });

  test('takes the old key away', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    provider.answer(newSet);
    clock.ms += 30 * SECOND;
    await verifier.verify(newToken);
    await expect(codeOf(verifier.verify(oldToken))).resolves.toBe('TOKEN_INVALID');
  });
});

describe('a provider that fails', () => {
  test('at start leaves the gateway without keys until it answers', async () => {
    const { provider, verifier } = await setUp(down, { retryMs: 50 });
    expect(verifier.ready).toBe(false);
    const refused = verifier.verify(oldToken);
    await expect(refused).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    provider.answer(oldSet);
    await expect.poll(() => verifier.ready, { timeout: 10_000 }).toBe(true);
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
  });

  test.each([
    ['refuses connections', 0],
    ['is silent', 3 * SECOND],
  ])(
    'for the first 5 s and %s leaves the verifier ready within 3 s of its return',
    async (_, failsAfterMs) => {
      const provider = startVirtualProvider(failsAfterMs, 5 * SECOND);
      const verifier = await provider.open();
      await vi.advanceTimersByTimeAsync(5 * SECOND);
      expect(verifier.ready).toBe(false);
      await vi.advanceTimersByTimeAsync(3 * SECOND);
      expect(verifier.ready).toBe(true);
      verifier.close();
    },
  );

  test('is asked again after 1 s, then after twice as long each time, and at last every 30 s', async () => {
    const provider = startVirtualProvider(0, HOUR);
    const verifier = await provider.open();
    await vi.advanceTimersByTimeAsync(150 * SECOND);
    const gaps = provider.askedAt.slice(1).map((at, turn) => at - (provider.askedAt[turn] as number));
    for (const [turn, most] of [1, 2, 4, 8, 16, 30, 30].entries()) {
      expect(gaps[turn]).toBeGreaterThanOrEqual(0.8 * most * SECOND - 1);
      expect(gaps[turn]).toBeLessThanOrEqual(most * SECOND + 1);
    }
    expect(verifier.keys).toMatchObject({ ageMs: undefined, failures: provider.askedAt.length });
    verifier.close();
  });

  test('counts as failures what came to nothing, and lets the keys grow old', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    expect(verifier.keys).toMatchObject({ ageMs: 0, failures: 0 });
    provider.answer(down);
    clock.ms += 30 * SECOND;
    await codeOf(verifier.verify(newToken));
    expect(verifier.keys).toMatchObject({ ageMs: 30 * SECOND, failures: 1 });
    provider.answer(oldSet);
    clock.ms += 30 * SECOND;
    await codeOf(verifier.verify(newToken));
    expect(verifier.keys).toMatchObject({ ageMs: 0, failures: 1 });
  });

  test('does not matter to a token that could never be valid', async () => {
    const { verifier } = await setUp(down);
    await expect(codeOf(verifier.verify('a.b.c'))).resolves.toBe('TOKEN_INVALID');
  });

  test('later leaves the last good set in use for a day', async () => {
    const { provider, clock, verifier, warnings } = await setUp(oldSet);
    provider.answer(down);
    clock.ms += 24 * HOUR - 1;
    await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
    expect(verifier.ready).toBe(true);
    expect(warnings).toHaveLength(1);
    clock.ms += 1;
    expect(verifier.ready).toBe(false);
    await expect(codeOf(verifier.verify(oldToken))).resolves.toBe('KEYS_UNAVAILABLE');
  });

  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKey = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'new' };
  test.each<[string, Answer]>([
    ['with a reset', down],
    ['with a status of 500', (_, response) => response.writeHead(500).end(newSet)],
    ['with a status of 204', (_, response) => response.writeHead(204).end()],
    ['with silence', () => {}],
    ['with silence after the head', (_, response) => response.writeHead(200).flushHeaders()],
    ['with a drip', (_, response) => drip(response, 5)],
    ['with an endless stream', (_, response) => flood(response)],
    ['with more than 64 KiB', (_, response) => response.end(newSet + ' '.repeat(64 * 1024))],
    ['with a page', (_, response) => response.end('<!doctype html>')],
    ['with a discovery document', (_, response) => response.end('{"jwks_uri":"https://id.test/keys"}')],
    ['with JSON that is no object', (_, response) => response.end('[]')],
    ['with JSON that is no key set', (_, response) => response.end('{"keys":"none"}')],
    ['with an empty key set', keySet()],
    ['with secrets only', keySet({ kty: 'oct', k: 'c2VjcmV0', kid: 'new' })],
    ['with private keys only', keySet(privateKey)],
  ])('%s changes nothing', async (_, answer) => {
    const { provider, clock, verifier, warnings } = await setUp(oldSet, { deadlineMs: 2 * SECOND });
    provider.answer(answer);
    clock.ms += 30 * SECOND;
    await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
    expect(provider.hits).toBe(2);
    expect(warnings).toHaveLength(1);
  });

  test('is named in the log by its status', async () => {
    const { provider, clock, verifier, warnings } = await setUp(oldSet);
    provider.answer((_, response) => response.writeHead(503).end(newSet));
    clock.ms += 30 * SECOND;
    await codeOf(verifier.verify(newToken));
    const message = `${provider.url} answered 503`;
    expect(warnings).toMatchObject([{ cause: message, kids: ['old'] }]);
  });

  test('and answers with a discovery document is told where its keys are', async () => {
    const document = JSON.stringify({ issuer: 'https://id.test/', jwks_uri: 'https://id.test/keys' });
    const { warnings } = await setUp(document);
    const message = 'this is a discovery document: write discovery: true, or jwks: https://id.test/keys';
    expect(warnings).toMatchObject([{ cause: message }]);
  });

  test('is not followed elsewhere', async () => {
    const elsewhere = await startIdentityProvider(newSet);
    onTestFinished(() => elsewhere.close());
    const { provider, clock, verifier } = await setUp(oldSet);
    for (const status of [301, 302, 303, 307, 308]) {
      provider.answer((_, response) => response.writeHead(status, { location: elsewhere.url }).end());
      clock.ms += 30 * SECOND;
      await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    }
    expect(provider.hits).toBe(6);
    expect(elsewhere.hits).toBe(0);
  });
});

/** A provider in a time of its own: down until `upAt`, when each fetch takes `failsAfterMs` to fail. */
function startVirtualProvider(failsAfterMs: number, upAt: number) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'], now: 0 });
  onTestFinished(() => void vi.useRealTimers());
  const startedAt = performance.now();
  const askedAt: number[] = [];
  async function fetch() {
    const at = performance.now() - startedAt;
    askedAt.push(at);
    if (at >= upAt) return new Response(oldSet);
    if (failsAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, failsAfterMs));
    throw new Error('it is down');
  }
  const open = () => createVerifier(issuer({ jwks: 'http://127.0.0.1:1/' }), { now: () => NOW_MS, fetch });
  return { askedAt, open };
}

/** A byte at a time, never finished. */
function drip(response: ServerResponse, everyMs: number): void {
  const timer = setInterval(() => response.write(' '), everyMs);
  response.on('close', () => clearInterval(timer));
}

function flood(response: ServerResponse): void {
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(16 * 1024)));
  };
  response.on('drain', more);
  more();
}
