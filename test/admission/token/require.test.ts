import { describe, expect, test } from 'vitest';
import { claimRule, requiredScope } from '../../../src/admission/token/require.ts';
import type { AuthConfig } from '../../../src/config/schema.ts';

type Case = [required: AuthConfig['require'], claims: Record<string, unknown>];

describe('claims suffice', () => {
  test.each<Case>([
    [{}, {}],
    [{ role: 'admin' }, { role: 'admin' }],
    [{ role: 'admin' }, { role: ['user', 'admin'] }],
    [{ role: ['user', 'admin'] }, { role: ['admin', 'user', 'other'] }],
    [{ level: 3 }, { level: 3 }],
    [{ level: 3 }, { level: [1, 3] }],
    [{ verified: true }, { verified: true }],
    [{ scope: 'chat' }, { scope: 'chat' }],
    [{ scope: 'chat' }, { scope: 'read chat write' }],
    [{ scope: 'chat' }, { scope: ['read', 'chat'] }],
    [{ scope: ['chat', 'read'] }, { scope: 'read chat' }],
    [{ scp: 'chat' }, { scp: 'read chat' }],
    [{ scp: { anyOf: ['chat', 'write'] } }, { scp: 'read chat' }],
    [{ scope: 'chat read' }, { scope: 'read chat' }],
    [
      { scope: 'chat', role: 'admin' },
      { scope: 'chat', role: 'admin' },
    ],
  ])('%j by %j', (required, claims) => {
    expect(claimRule(required)(claims)).toBeUndefined();
  });
});

describe('claims fall short', () => {
  test.each<Case>([
    [{ role: 'admin' }, {}],
    [{ role: 'admin' }, { role: 'Admin' }],
    [{ role: 'admin' }, { role: 'user admin' }],
    [{ role: 'admin' }, { role: ['administrator'] }],
    [{ role: 'admin' }, { role: null }],
    [{ role: 'admin' }, { role: { admin: true } }],
    [{ role: 'admin' }, { role: [['admin']] }],
    [{ role: ['user', 'admin'] }, { role: ['admin'] }],
    [{ role: ['user', 'admin'] }, { role: 'admin' }],
    [{ level: 3 }, { level: '3' }],
    [{ level: 3 }, { level: 4 }],
    [{ verified: true }, { verified: 'true' }],
    [{ verified: true }, { verified: 1 }],
    [{ verified: false }, {}],
    [{ scope: 'chat' }, { scope: 'chatter' }],
    [{ scope: 'chat' }, { scope: '' }],
    [{ scope: 'chat' }, { scope: 7 }],
    [{ scope: ['chat', 'read'] }, { scope: 'chat' }],
    [{ toString: 'x' }, {}],
    [JSON.parse('{"__proto__": "x"}'), {}],
  ])('%j by %j', (required, claims) => {
    expect(claimRule(required)(claims)).toBe(Object.keys(required)[0]);
  });

  test('and the first that does is named', () => {
    expect(claimRule({ scope: 'chat', role: 'admin' })({ scope: 'chat' })).toBe('role');
  });
});

test.each<[AuthConfig['require'], string | undefined]>([
  [{}, undefined],
  [{ role: 'admin' }, undefined],
  [{ scope: 'chat' }, 'chat'],
  [{ scope: ['chat', 'read'] }, 'chat read'],
])('the scope required by %j is %j', (required, scope) => {
  expect(requiredScope(required)).toBe(scope);
});

describe('where claims stand', () => {
  test.each<[string, object, string | undefined]>([
    ['/realm_access/roles', { realm_access: { roles: ['chat'] } }, undefined],
    ['/realm_access/roles', { realm_access: { roles: ['mail'] } }, '/realm_access/roles'],
    ['/realm_access/roles', { realm_access: 'chat' }, '/realm_access/roles'],
    ['/a~1b/m~0n', { 'a/b': { 'm~n': 'chat' } }, undefined],
    ['/list/1', { list: ['mail', 'chat'] }, undefined],
    ['https://app.example.com/roles', { 'https://app.example.com/roles': ['chat'] }, undefined],
    ['/constructor/name', {}, '/constructor/name'],
  ])('%s in %j: %s falls short', (name, claims, short) => {
    expect(claimRule({ [name]: 'chat' })(claims as Record<string, unknown>)).toBe(short);
  });

  test.each<[object, string | undefined]>([
    [{ role: 'b' }, undefined],
    [{ role: ['x', 'a'] }, undefined],
    [{ role: 'c' }, 'role'],
    [{}, 'role'],
  ])('one of several is enough: %j lacks %s', (claims, short) => {
    expect(claimRule({ role: { anyOf: ['a', 'b'] } })(claims as Record<string, unknown>)).toBe(short);
  });
});
