import { describe, expect, test } from 'vitest';
import { createPolicy } from '../../src/upstream/balance/index.ts';
import type { Asking, Candidate, Policy } from '../../src/upstream/balance/policy.ts';

const ASKING: Asking = {
  clientAddress: '10.0.0.1',
  origin: undefined,
  path: '/',
  headers: [],
  grant: { claims: {} },
};

function candidate(name: string, live = 0, weight = 1): Candidate & { live: number } {
  return { name, live, weight: () => weight };
}

function picks(policy: Policy, candidates: readonly Candidate[], count: number): string {
  return Array.from({ length: count }, () => policy(candidates, ASKING, 0).name).join(' ');
}

describe('least-connections', () => {
  test.each([
    ['the one with the fewest', [candidate('a', 3), candidate('b', 1), candidate('c', 2)], 'b b b'],
    ['those that are even in turn', [candidate('a'), candidate('b'), candidate('c', 1)], 'a b a'],
    ['one of twice the weight for twice as many', [candidate('a', 3, 2), candidate('b', 2)], 'a a a'],
    ['the heavier of the idle', [candidate('a'), candidate('b', 0, 2)], 'b b b'],
  ])('takes %s', (_, candidates, expected) => {
    expect(picks(createPolicy('least-connections'), candidates, 3)).toBe(expected);
  });

  test('fills up those that have fallen behind', () => {
    const policy = createPolicy('least-connections');
    const candidates = [candidate('a', 4), candidate('b', 0), candidate('c', 2)];
    for (let session = 0; session < 9; session++) {
      const { name } = policy(candidates, ASKING, 0);
      for (const each of candidates) if (each.name === name) each.live += 1;
    }
    expect(candidates.map(({ live }) => live)).toEqual([5, 5, 5]);
  });
});

describe('round-robin', () => {
  test.each([
    ['in turn', [candidate('a'), candidate('b'), candidate('c')], 'a b c a b c'],
    ['as often as their weight says, spread out', [candidate('a', 0, 3), candidate('b')], 'a a b a a a'],
  ])('takes them %s', (_, candidates, expected) => {
    expect(picks(createPolicy('round-robin'), candidates, 6)).toBe(expected);
  });

  test('goes on when one leaves and comes back', () => {
    const policy = createPolicy('round-robin');
    const [a, b] = [candidate('a'), candidate('b')];
    expect([picks(policy, [a, b], 2), picks(policy, [b], 3), picks(policy, [a, b], 4)]).toEqual([
      'a b',
      'b b b',
      'a b a b',
    ]);
  });
});

describe('hash', () => {
  const nodes = ['a', 'b', 'c', 'd', 'e'].map((name) => candidate(`10.0.0.${name}:80`));
  const keys = Array.from({ length: 2_000 }, (_, index) => `user-${index}`);
  const bySubject = createPolicy({ hash: { from: 'subject', name: '' } });
  const placeOf = (subject: string, candidates: readonly Candidate[]) =>
    bySubject(candidates, { ...ASKING, grant: { subject, claims: {} } }, 0).name;

  test('spreads keys evenly, and by weight', () => {
    const share = (candidates: readonly Candidate[], name: string) =>
      keys.filter((key) => placeOf(key, candidates) === name).length / keys.length;
    for (const { name } of nodes) expect(share(nodes, name)).toBeCloseTo(0.2, 1);
    const heavy = candidate('heavy', 0, 5);
    expect(share([...nodes, heavy], 'heavy')).toBeCloseTo(0.5, 1);
  });

  test("a target's going moves its own keys only, to all the others", () => {
    const before = new Map(keys.map((key) => [key, placeOf(key, nodes)]));
    const left = nodes.slice(1);
    const moved = keys.filter((key) => placeOf(key, left) !== before.get(key));
    expect(moved.every((key) => before.get(key) === nodes[0]?.name)).toBe(true);
    expect(new Set(moved.map((key) => placeOf(key, left))).size).toBe(4);
  });

  test('is the same in every gateway and whatever the order', () => {
    const again = createPolicy({ hash: { from: 'subject', name: '' } });
    for (const subject of keys.slice(0, 50)) {
      const asking = { ...ASKING, grant: { subject, claims: {} } };
      expect(again([...nodes].reverse(), asking, 0).name).toBe(placeOf(subject, nodes));
    }
  });

  test.each<[Parameters<typeof createPolicy>[0], Partial<Asking>, Partial<Asking>]>([
    [{ hash: { from: 'address', name: '' } }, { clientAddress: '10.0.0.1' }, { clientAddress: '10.0.0.2' }],
    [
      { hash: { from: 'subject', name: '' } },
      { grant: { subject: 'a', claims: {} } },
      { grant: { subject: 'b', claims: {} } },
    ],
    [{ hash: { from: 'origin', name: '' } }, { origin: 'https://a' }, { origin: 'https://b' }],
    [{ hash: { from: 'path', name: '' } }, { path: '/a' }, { path: '/b' }],
    [
      { hash: { from: 'cookie', name: 'sid' } },
      { headers: [['Cookie', 'x=y; sid=1']] },
      {
        headers: [
          ['cookie', 'sid=2; sid2=1'],
          ['x', 'y'],
        ],
      },
    ],
    [
      { hash: { from: 'claim', name: 'team' } },
      { grant: { claims: { team: ['a'] } } },
      { grant: { claims: { team: 7 } } },
    ],
  ])('%j tells one request from the other', (balance, one, other) => {
    const policy = createPolicy(balance);
    const many = Array.from({ length: 500 }, (_, index) => candidate(`n${index}`));
    const place = (asking: Partial<Asking>) => policy(many, { ...ASKING, ...asking }, 0).name;
    expect(place(one)).toBe(place(one));
    expect(place(one)).not.toBe(place(other));
  });

  test('without a key takes the one with the fewest', () => {
    const policy = createPolicy({ hash: { from: 'cookie', name: 'sid' } });
    expect(picks(policy, [candidate('a', 3), candidate('b', 1)], 3)).toBe('b b b');
  });
});
