import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { asGatewayError } from '../../../src/errors.ts';
import { createGuard } from '../../../src/observe/admin/guard.ts';

const SECRET = 'thirty-two-bytes-of-a-good-secret';
const BEARER = ['Authorization', `Bearer ${SECRET}`];

/** What the guard says to a request on a socket: the code of its refusal, or that it may pass. */
function asker(secret: string | undefined) {
  const guard = createGuard(secret);
  return async (socket: EventEmitter, rawHeaders: string[]) => {
    try {
      await guard({ socket: socket as Socket, rawHeaders });
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
  expect(await asker(SECRET)(new EventEmitter(), rawHeaders)).toBe(expected);
});

test('without a secret nobody passes', async () => {
  expect(await asker(undefined)(new EventEmitter(), ['Authorization', 'Bearer undefined'])).toBe(
    'ADMIN_LOCKED',
  );
});

test('services keep 64 connections at a time; those who do not know the secret take none of their places', async () => {
  const ask = asker(SECRET);
  const sockets = Array.from({ length: 64 }, () => new EventEmitter());
  for (const socket of sockets) expect(await ask(socket, [])).toBe('SECRET_REFUSED');
  for (const socket of sockets) expect(await ask(socket, BEARER)).toBe('passes');
  expect(await ask(sockets[0] as EventEmitter, BEARER)).toBe('passes');
  expect(await ask(new EventEmitter(), BEARER)).toBe('TOO_MANY_CONNECTIONS');
  sockets[0]?.emit('close');
  expect(await ask(new EventEmitter(), BEARER)).toBe('passes');
  expect(await ask(new EventEmitter(), BEARER)).toBe('TOO_MANY_CONNECTIONS');
});
