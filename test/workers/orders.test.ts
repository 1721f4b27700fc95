import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { shareOf, workersOf } from '../../src/workers/orders.ts';
import { ordinalsOf } from '../../src/workers/ordinals.ts';
import { ticketKeysFrom } from '../../src/workers/tickets.ts';

function configOf(more: string) {
  const route = '{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }';
  return parseConfig(`listeners: [{ host: 127.0.0.1, port: 0 }]\n${more}\nroutes: [${route}]`).config;
}

test.each([
  ['', 1],
  ['workers: 3', 3],
  ['workers: auto', 8],
  ['workers: 4\nlimits: { connections: 2 }', 2],
])('%j is so many processes on eight cores: %i', (more, count) => {
  expect(workersOf(configOf(more), 8)).toBe(count);
});

test('as many connections as there may be are divided, and the first get what is over', () => {
  const config = configOf('workers: 3\nlimits: { connections: 11 }');
  const shares = [1, 2, 3].map((number) => shareOf(config, { number, size: 3 }).limits.connections);
  expect(shares).toEqual([4, 4, 3]);
  expect(shareOf(configOf('workers: 3'), { number: 1, size: 3 }).limits.connections).toBe('auto');
});

test('sessions are numbered by the time over all workers, none twice', () => {
  let now = 1_800_000_000_000;
  const [one, two] = [ordinalsOf(1, () => now), ordinalsOf(2, () => now)];
  const numbers = [one(), two(), one(), two()];
  now += 1;
  numbers.push(one());
  // Clocks are set back.
  now -= 3_600_000;
  numbers.push(one());
  expect(new Set(numbers).size).toBe(6);
  expect(Math.max(...numbers)).toBe(numbers.at(-1));
  // What `after` of /sessions may be.
  for (const number of numbers) expect(String(number)).toMatch(/^\d{1,15}$/);
});

test('tickets have the same keys wherever the secret is known, and others for other certificates', () => {
  const secret = Buffer.alloc(32, 7);
  const keys = ticketKeysFrom(secret);
  expect(keys('one')).toHaveLength(48);
  expect(ticketKeysFrom(secret)('one')).toEqual(keys('one'));
  expect(keys('two')).not.toEqual(keys('one'));
  expect(ticketKeysFrom(Buffer.alloc(32))('one')).not.toEqual(keys('one'));
});
