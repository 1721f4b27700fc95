import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
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

/** A provider that gives `first`, and a verifier that has asked it once. `clock.ms` is the time both clocks show. */
async function setUp(first: Answer, times?: RemoteDeps['times']) {
  const provider = await startIdentityProvider(first);
  const clock = { ms: 0 };
  const warnings: object[] = [];
  const logger = {
    info() {},
    warn: (line: object) => warnings.push(line),
  } as unknown as RemoteDeps['logger'];
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
  return { provider, clock, verifier, warnings };
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

  test('is shared by all who wait for it', async () => {
    const { provider, clock, verifier } = await setUp(down);
    clock.ms += 30 * SECOND;
    const asked = new Promise<ServerResponse>((resolve) => {
      provider.answer((_, response) => resolve(response));
    });
    const waiting = Promise.all(Array.from({ length: 200 }, () => verifier.verify(oldToken)));
    (await asked).end(oldSet);
    await expect(waiting).resolves.toHaveLength(200);
    expect(provider.hits).toBe(2);
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

  test('cools down after a failure too', async () => {
    const { provider, clock, verifier } = await setUp(down);
    const refused = () => expect(codeOf(verifier.verify(oldToken))).resolves.toBe('KEYS_UNAVAILABLE');
    for (let turn = 0; turn < 20; turn += 1) await refused();
    clock.ms += 30 * SECOND - 1;
    await refused();
    expect(provider.hits).toBe(1);
    clock.ms += 1;
    await refused();
    await refused();
    expect(provider.hits).toBe(2);
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
    const { provider, verifier } = await setUp(down, { coolDownMs: 5 });
    await provider.requested(3);
    const loaded = new Promise<void>((resolve) => {
      provider.answer((_, response) => response.end(oldSet, resolve));
    });
    await loaded;
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
    expect(vi.getTimerCount()).toBe(1);
    ms += elapsed;
    const pending = elapsed === 0 ? undefined : verifier.verify(newToken);
    await new Promise(setImmediate);
    verifier.close();
    held.resolve(new Response(newSet));
    await pending;
    expect(vi.getTimerCount()).toBe(0);
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
  test('brings a new key with its first token, once the cool-down is over', async () => {
    const { provider, clock, verifier } = await setUp(oldSet);
    provider.answer(newSet);
    await expect(codeOf(verifier.verify(newToken))).resolves.toBe('TOKEN_INVALID');
    clock.ms += 30 * SECOND;
    await expect(verifier.verify(newToken)).resolves.toBeDefined();
    expect(provider.hits).toBe(2);
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
    const { provider, clock, verifier } = await setUp(down);
    expect(verifier.ready).toBe(false);
    await expect(codeOf(verifier.verify(oldToken))).resolves.toBe('KEYS_UNAVAILABLE');
    provider.answer(oldSet);
    clock.ms += 30 * SECOND;
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
    expect(verifier.ready).toBe(true);
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
    provider.answer(oldSet);
    clock.ms += 30 * SECOND;
    await expect(verifier.verify(oldToken)).resolves.toBeDefined();
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
    expect(warnings).toMatchObject([{ err: { message: 'answered 503' } }]);
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
