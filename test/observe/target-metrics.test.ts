import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { SessionRecord } from '../../src/observe/index.ts';
import { TargetMetrics } from '../../src/observe/target-metrics.ts';
import { metric } from '../support/census.ts';
import { routeConfig } from '../support/handshakes.ts';
import { sessionRecord } from '../support/observe.ts';

function counting(open: readonly SessionRecord[] = []) {
  const registry = new Registry();
  const metrics = new TargetMetrics(registry, () => open);
  const bytes = async (target: string, direction = 'up') => {
    metrics.takeStock();
    return metric(await registry.metrics(), 'sallyport_target_bytes_total', { target, direction });
  };
  return { metrics, bytes, registry };
}

const session = (label: string | undefined, up: number, down = 0) =>
  sessionRecord({ label, up: { messages: 1, bytes: up }, down: { messages: 1, bytes: down } });

test('bytes of open and ended sessions are summed by target, each once', async () => {
  const open = [session('a:1', 3, 30), session('b:1', 4)];
  const { metrics, bytes } = counting(open);
  expect([await bytes('a:1'), await bytes('a:1', 'down'), await bytes('b:1')]).toEqual([3, 30, 4]);
  metrics.ended(open.shift() as SessionRecord);
  metrics.ended(session('a:1', 5));
  expect([await bytes('a:1'), await bytes('a:1', 'down'), await bytes('b:1')]).toEqual([8, 30, 4]);
});

test('sessions without a label are not counted', async () => {
  const { metrics, registry } = counting([session(undefined, 3)]);
  metrics.ended(session(undefined, 3));
  metrics.takeStock();
  expect(await registry.metrics()).not.toContain('sallyport_target_bytes_total{');
});

test('beyond a thousand targets the rest is one', async () => {
  const { metrics, bytes } = counting();
  for (let at = 0; at < 1_200; at++) metrics.ended(session(`t${at}:1`, 1));
  metrics.ended(session('t7:1', 1));
  expect([await bytes('t7:1'), await bytes('other'), await bytes('t1199:1')]).toEqual([2, 200, 0]);
});

test.each([
  [{ tcp: ['a:1', { address: 'b:2' }] }, ['a:1', 'b:2']],
  [{ tcp: 'unix:/run/x.sock' }, ['unix:/run/x.sock']],
  [{ tcp: '{query.a}', targets: { x: 'a:1', y: 'b:2', z: 'a:1' } }, ['a:1', 'b:2']],
  [{ tcp: '{query.a}', allow: ['*.x:1', '10.0.0.0/8:*'] }, ['*.x:1', '10.0.0.0/8:*']],
  [{ websocket: 'ws://a' }, []],
])('of %j the series are there from the start', async (upstream, targets) => {
  const registry = new Registry();
  const metrics = new TargetMetrics(registry, () => [], [routeConfig({ name: 'r', upstream })]);
  metrics.takeStock();
  const text = await registry.metrics();
  const found = [...text.matchAll(/_total\{route="r",target="(.*)",direction="up"\} 0/g)];
  expect(found.map(([, target]) => target)).toEqual(targets);
});
