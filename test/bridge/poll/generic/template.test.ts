import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileTemplate } from '../../../../src/bridge/poll/generic/template.ts';

describe('compileTemplate', () => {
  const values = { room: 'a b/c?d', session: 's1', cursor: undefined, query: 'x=1&y=%20', hold: '25' };
  test.each([
    ['/plain', '/plain'],
    ['/rooms/{room}/events', '/rooms/a%20b%2Fc%3Fd/events'],
    ['/e?sid={session}&wait={hold}', '/e?sid=s1&wait=25'],
    ['/e?since={cursor}', '/e?since='],
    ['/e?{query}', '/e?x=1&y=%20'],
    ['/{toString}', '/'],
  ])('renders %s as %s', (template, expected) => {
    expect(compileTemplate(template)(values)).toBe(expected);
  });

  test.each([
    ['a%20b%2Fc', 'a%20b%2Fc'],
    ['caf%E9', 'caf%E9'],
    ['a&b=c;d', 'a%26b%3Dc%3Bd'],
  ])('puts in the captured segment %s as %s', (room, written) => {
    const render = compileTemplate('/rooms/{room}?in={room}&sid={session}');
    expect(render({ session: 'a%b' }, { room })).toBe(`/rooms/${written}?in=${written}&sid=a%25b`);
  });

  test('lets no value add a segment, a parameter or a line', () => {
    const render = compileTemplate('/a/{value}/z?q={value}');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const path = render({ value });
        expect(path).toMatch(/^\/a\/[\w%.!~*'()-]*\/z\?q=[\w%.!~*'()-]*$/);
        expect(decodeURIComponent(path)).toBe(`/a/${value}/z?q=${value}`);
      }),
    );
  });
});
