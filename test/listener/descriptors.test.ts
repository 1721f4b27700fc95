import { expect, test } from 'vitest';
import {
  connectionsWithin,
  parseDescriptorLimit,
  readDescriptorLimit,
} from '../../src/listener/descriptors.ts';

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units     
Max processes             31446                31447                processes 
Max open files            1024                 524288               files     
Max locked memory         8388608              8388608              bytes     
`;

test.each([
  ['the soft limit', LIMITS, 1024],
  ['none where there is none', LIMITS.replace('1024  ', 'unlimited'), undefined],
  ['none in another text', 'Max open file', undefined],
])('reads %s', (_what, text, limit) => {
  expect(parseDescriptorLimit(text)).toBe(limit);
});

test('a system that does not tell has no limit', async () => {
  expect(await readDescriptorLimit('/nowhere/limits')).toBeUndefined();
});

test.each([
  [undefined, 1, Infinity],
  [1024, 1, 480],
  [1024, 2, 320],
  [256, 1, 96],
  [67, 1, 1],
  [66, 1, 1],
  [20, 2, 1],
])(
  '%s descriptors, %s of them for each upstream, have room for %s connections',
  (descriptors, each, connections) => {
    expect(connectionsWithin(descriptors, each)).toBe(connections);
  },
);

test('what is kept back for others has no room for connections', () => {
  expect(connectionsWithin(1024, 1, 64)).toBe(448);
});
