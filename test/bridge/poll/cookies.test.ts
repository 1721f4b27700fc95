import { describe, expect, test } from 'vitest';
import { CookieJar } from '../../../src/bridge/poll/cookies.ts';

function jarWith(...fields: string[]) {
  const jar = new CookieJar();
  jar.store({ 'set-cookie': fields });
  return jar;
}

describe('CookieJar', () => {
  test('sends back what was set, less its attributes', () => {
    expect(jarWith('lb=node-3; Path=/; HttpOnly', 'a=1=2').header(undefined)).toBe('lb=node-3; a=1=2');
  });

  test("puts the target's cookies over the client's own of the same name", () => {
    expect(jarWith('lb=2').header('user=x; lb=1; theme=y')).toBe('user=x; theme=y; lb=2');
  });

  test("leaves the client's cookies alone while the target sets none", () => {
    const jar = new CookieJar();
    jar.store({});
    expect(jar.header('a=1')).toBe('a=1');
    expect(jar.header(undefined)).toBeUndefined();
  });

  test.each(['lb=; Max-Age=0', 'lb=; expires=Thu, 01 Jan 1970 00:00:00 GMT', 'lb=x; max-age=-1'])(
    'forgets a cookie on %s',
    (field) => {
      expect(jarWith('a=1', 'lb=1', field).header(undefined)).toBe('a=1');
    },
  );

  test.each(['lb=2; Max-Age=1', 'lb=2; Expires=Fri, 31 Dec 9999 23:59:59 GMT'])(
    'keeps a cookie on %s',
    (field) => {
      expect(jarWith('lb=1', field).header(undefined)).toBe('lb=2');
    },
  );

  test.each(['', 'novalue', '=x', `big=${'x'.repeat(5000)}`])('does not take %.20j', (field) => {
    expect(jarWith(field).header('a=1')).toBe('a=1');
  });

  test('holds twenty cookies and no more', () => {
    const jar = jarWith(...Array.from({ length: 30 }, (_, index) => `c${index}=1`));
    expect(jar.header(undefined)?.split('; ')).toHaveLength(20);
  });
});
