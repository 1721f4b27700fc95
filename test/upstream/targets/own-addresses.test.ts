import { expect, test } from 'vitest';
import { createOwnAddresses } from '../../../src/upstream/targets/own-addresses.ts';

test('this machine knows its own addresses', () => {
  const isOwn = createOwnAddresses(() => 0);
  expect([isOwn('127.0.0.1'), isOwn('93.184.216.34')]).toEqual([true, false]);
});
