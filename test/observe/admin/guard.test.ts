import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Secret } from '../../../src/config/secret.ts';
import { asGatewayError } from '../../../src/errors.ts';
import { type AdminSecrets, createGuard } from '../../../src/observe/admin/guard.ts';

const SECRET = 'thirty-two-bytes-of-a-good-secret';
const BEARER = ['Authorization', `Bearer ${SECRET}`];

/** What the guard says to a request on a socket: the code of its refusal, or that it may pass. */
function asker(secrets: AdminSecrets) {
  const guard = createGuard(secrets);
  return async (socket: EventEmitter, rawHeaders: string[]) => {
    try {
      const request = { method: 'GET', url: '/', socket, rawHeaders } as Partial<IncomingMessage>;
      await guard({ request: request as IncomingMessage, body: async () => Buffer.alloc(0) });
      return 'passes';
    } catch (error) {
      return asGatewayError(error).code;
    }
  };
}

test.each<[string, string[], string]>([
  ['the secret', BEARER, 'passes'],
  ['the secret behind several spaces', ['authorization', `BEARER   ${SECRET}`], 'passes'],
  ['no Authorization', [], 'SECRET_REFUSED'],
  ['an empty one', ['Authorization', ''], 'SECRET_REFUSED'],
  ['a longer secret', ['Authorization', `Bearer ${SECRET}${SECRET}`], 'SECRET_REFUSED'],
  ['more behind it', ['Authorization', `Bearer ${SECRET} x`], 'SECRET_REFUSED'],
  ['another case', ['Authorization', `Bearer ${SECRET.toUpperCase()}`], 'SECRET_REFUSED'],
  ['two of them', [...BEARER, ...BEARER], 'BAD_REQUEST'],
])('a request with %s', async (_what, rawHeaders, expected) => {
  expect(await asker({ secret: SECRET })(new EventEmitter(), rawHeaders)).toBe(expected);
});

test('without a secret nobody passes', async () => {
  expect(await asker({})(new EventEmitter(), ['Authorization', 'Bearer undefined'])).toBe('ADMIN_LOCKED');
});

test('services keep 64 connections at a time; those who do not know the secret take none of their places', async () => {
  const ask = asker({ secret: SECRET });
  const sockets = Array.from({ length: 64 }, () => new EventEmitter());
  for (const socket of sockets) expect(await ask(socket, [])).toBe('SECRET_REFUSED');
  for (const socket of sockets) expect(await ask(socket, BEARER)).toBe('passes');
  expect(await ask(sockets[0] as EventEmitter, BEARER)).toBe('passes');
  expect(await ask(new EventEmitter(), BEARER)).toBe('TOO_MANY_CONNECTIONS');
  sockets[0]?.emit('close');
  expect(await ask(new EventEmitter(), BEARER)).toBe('passes');
  expect(await ask(new EventEmitter(), BEARER)).toBe('TOO_MANY_CONNECTIONS');
});

/** Of AWS's test suite for its signatures (get-vanilla). */
const AWS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
};
const SIGNED = [
  ...['Host', 'example.amazonaws.com', 'X-Amz-Date', '20150830T123600Z'],
  'Authorization',
  'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
];

test.each<[string, AdminSecrets, string[], string]>([
  ['signed, where a key is known', { aws: AWS }, SIGNED, 'passes'],
  ['signed, where both are', { aws: AWS, secret: SECRET }, SIGNED, 'passes'],
  ['with the secret, where both are', { aws: AWS, secret: SECRET }, BEARER, 'passes'],
  ['signed, where no key is known', { secret: SECRET }, SIGNED, 'SECRET_REFUSED'],
  ['with the secret, where there is none', { aws: AWS }, BEARER, 'SECRET_REFUSED'],
  ['with nothing, where a key is known', { aws: AWS }, [], 'SECRET_REFUSED'],
  ['signed, without its date', { aws: AWS }, SIGNED.toSpliced(2, 2), 'SECRET_REFUSED'],
])('a request %s', async (_what, secrets, rawHeaders, expected) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2015, 7, 30, 12, 36) });
  onTestFinished(() => void vi.useRealTimers());
  expect(await asker(secrets)(new EventEmitter(), rawHeaders)).toBe(expected);
});
