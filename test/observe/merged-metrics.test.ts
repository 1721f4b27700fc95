import { expect, test } from 'vitest';
import { MergedMetrics, type MetricSnapshot } from '../../src/observe/merged-metrics.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { metric } from '../support/census.ts';
import { sessionRecord } from '../support/observe.ts';

/** A worker's metrics: so many sessions that are open. */
async function worker(sessions: number, expiresAt = 2_000_000): Promise<MetricSnapshot> {
  const open = Array.from({ length: sessions }, () => sessionRecord({ up: { messages: 1, bytes: 10 } }));
  const metrics = createMetrics({
    open: () => open,
    certificates: () => [{ listener: ':1', name: 'a', expiresAt }],
    issuers: () => [['main', { keys: { ageMs: sessions * 1_000, failures: 1 } }]],
    store: () => ({ isAnswering: sessions < 5, isHearing: sessions < 5, gateways: sessions }),
  });
  for (const session of open) metrics.opened(session, { parse: 1 });
  // As it comes from another process.
  return structuredClone((await metrics.snapshot()).map((each) => ({ ...each })));
}

/** What is to merge, of these processes. */
function mergedOf(names: readonly string[], droppedLines = 0) {
  const merged = new MergedMetrics(() => droppedLines);
  const end = new Map(names.map((name) => [name, merged.began(name)]));
  return { merged, ended: (name: string) => end.get(name)?.() };
}

test('what workers have counted is the sum, and what is not is as it should be', async () => {
  const { merged } = mergedOf(['1.1', '2.2'], 3);
  const text = await merged.render(
    new Map([
      ['1.1', await worker(2, 2_000_000)],
      ['2.2', await worker(5, 1_000_000)],
    ]),
  );
  expect(metric(text, 'sallyport_sessions_open')).toBe(7);
  expect(metric(text, 'sallyport_messages_total', { direction: 'up' })).toBe(7);
  expect(metric(text, 'sallyport_handshake_seconds_count', { phase: 'parse' })).toBe(7);
  expect(metric(text, 'sallyport_workers')).toBe(2);
  expect(metric(text, 'sallyport_worker_deaths_total')).toBe(0);
  expect(metric(text, 'sallyport_log_lines_dropped_total')).toBe(3);
  expect(metric(text, 'sallyport_build_info')).toBe(1);
  expect(metric(text, 'sallyport_certificate_not_after_seconds')).toBe(1_000);
  expect(metric(text, 'sallyport_issuer_keys_age_seconds')).toBe(5);
  expect(metric(text, 'sallyport_store_answering')).toBe(0);
  expect(metric(text, 'sallyport_store_hearing')).toBe(0);
  expect(metric(text, 'sallyport_store_gateways')).toBe(5);
  expect(metric(text, 'sallyport_issuer_refresh_failures_total')).toBe(2);
  expect(metric(text, 'process_start_time_seconds')).toBeLessThan(Date.now() / 1000);
  expect(metric(text, 'process_start_time_seconds')).toBeGreaterThan(1_000_000_000);
});

test('a total never falls: neither when a worker ends, nor while one is silent', async () => {
  const { merged, ended } = mergedOf(['1.1', '2.2', '1.3']);
  const [one, two] = [await worker(2), await worker(5)];
  await merged.render(
    new Map([
      ['1.1', one],
      ['2.2', two],
    ]),
  );
  const whileSilent = await merged.render(new Map([['1.1', one]]));
  expect(metric(whileSilent, 'sallyport_messages_total', { direction: 'up' })).toBe(7);
  expect(metric(whileSilent, 'sallyport_sessions_open')).toBe(2);
  expect(metric(whileSilent, 'sallyport_workers')).toBe(1);
  merged.died();
  ended('2.2');
  const afterwards = await merged.render(new Map([['1.1', one]]));
  expect(metric(afterwards, 'sallyport_messages_total', { direction: 'up' })).toBe(7);
  expect(metric(afterwards, 'sallyport_sessions_open')).toBe(2);
  expect(metric(afterwards, 'sallyport_worker_deaths_total')).toBe(1);
  ended('1.1');
  const replaced = await merged.render(new Map([['1.3', await worker(1)]]));
  expect(metric(replaced, 'sallyport_messages_total', { direction: 'up' })).toBe(8);
  expect(metric(replaced, 'sallyport_handshake_seconds_count', { phase: 'parse' })).toBe(8);
});

test('one that ends when it has answered, and others have not, is counted once', async () => {
  const { merged, ended } = mergedOf(['1.1', '2.2']);
  const said = new Map([['1.1', await worker(2)]]);
  await merged.render(said);
  ended('1.1');
  for (const answered of [said, new Map(), said]) {
    const text = await merged.render(answered);
    expect(metric(text, 'sallyport_messages_total', { direction: 'up' })).toBe(2);
    expect(metric(text, 'sallyport_sessions_open') ?? 0).toBe(0);
    expect(metric(text, 'sallyport_workers')).toBe(0);
  }
});

test('one that ends while its answer is put together is counted once', async () => {
  const { merged, ended } = mergedOf(['1.1']);
  const said = new Map([['1.1', await worker(2)]]);
  await merged.render(said);
  for (const answered of [said, new Map()]) {
    const rendering = merged.render(answered);
    ended('1.1');
    expect(metric(await rendering, 'sallyport_messages_total', { direction: 'up' })).toBe(2);
  }
});

test('one that has never been heard is missed by nobody', async () => {
  const { merged, ended } = mergedOf(['9.9']);
  ended('9.9');
  expect(metric(await merged.render(new Map()), 'sallyport_workers')).toBe(0);
});
