import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  combineConnectionObservers,
  createConnectionLog,
  createConnectionMetrics,
} from '../../src/observe/connections.ts';
import { createLogger } from '../../src/observe/log.ts';
import { metric } from '../support/census.ts';
import { Sink } from '../support/observe.ts';

describe('the log of connections that get no further', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  function start() {
    const sink = new Sink();
    const log = createConnectionLog(createLogger({ destination: sink }));
    return { log, sink };
  }

  test('has a line for the first, and one a second for all that follow', () => {
    const { log, sink } = start();
    for (let i = 0; i < 1_000; i++) log.parted(i % 2 ? 'full' : 'crowded', `192.0.2.${i % 200}`);
    expect(sink.lines).toMatchObject([{ level: 'warn', reasons: { crowded: 1 }, peerAddress: '192.0.2.0' }]);
    vi.advanceTimersByTime(1_000);
    expect(sink.lines[1]).toMatchObject({ reasons: { crowded: 499, full: 500 }, peerAddress: '192.0.2.199' });
    vi.advanceTimersByTime(10_000);
    expect(sink.lines).toHaveLength(2);
    log.parted('full', undefined);
    expect(sink.lines[2]).toMatchObject({ reasons: { full: 1 } });
  });

  test('says what is wrong with the certificate of a client', () => {
    const { log, sink } = start();
    log.tlsFailed('client_certificate', '192.0.2.1', 'CERT_HAS_EXPIRED');
    expect(sink.lines).toMatchObject([
      { reasons: { client_certificate: 1 }, peerAddress: '192.0.2.1', detail: 'CERT_HAS_EXPIRED' },
    ]);
  });

  test('tells TLS failures apart by their reason, and says nothing of those that just end', () => {
    const { log, sink } = start();
    log.tlsFailed('ended', '192.0.2.1');
    expect(sink.lines).toEqual([]);
    log.tlsFailed('plain_http', '192.0.2.1');
    expect(sink.lines).toMatchObject([
      { level: 'info', reasons: { plain_http: 1 }, msg: 'TLS handshakes failed' },
    ]);
  });

  test('tells what kept connections from being accepted', () => {
    const { log, sink } = start();
    log.acceptFailed(new Error('accept EMFILE'));
    expect(sink.lines).toMatchObject([{ level: 'error', count: 1, err: { message: 'accept EMFILE' } }]);
  });
});

describe('the metrics of connections', () => {
  async function scrape(act: (metrics: ReturnType<typeof createConnectionMetrics>) => void): Promise<string> {
    const registry = new Registry();
    act(createConnectionMetrics(registry));
    return registry.metrics();
  }

  test('are all there before anything has happened', async () => {
    const text = await scrape(() => {});
    for (const series of [
      'sallyport_connections_open 0',
      'sallyport_connections_refused_total{reason="full"} 0',
      'sallyport_connections_refused_total{reason="crowded"} 0',
      'sallyport_connections_refused_total{reason="idle"} 0',
      'sallyport_accept_errors_total 0',
      'sallyport_tls_errors_total{reason="plain_http"} 0',
      'sallyport_tls_errors_total{reason="other"} 0',
    ])
      expect(text).toContain(`\n${series}\n`);
  });

  test('count by reason', async () => {
    const text = await scrape((metrics) => {
      metrics.opened();
      metrics.opened();
      metrics.closed();
      metrics.parted('idle', undefined);
      metrics.tlsFailed('timeout', undefined);
      metrics.proxyHeaderFailed('malformed', undefined);
      metrics.acceptFailed(new Error());
    });
    expect(metric(text, 'sallyport_connections_open')).toBe(1);
    expect(metric(text, 'sallyport_connections_refused_total', { reason: 'idle' })).toBe(1);
    expect(metric(text, 'sallyport_connections_refused_total')).toBe(1);
    expect(metric(text, 'sallyport_tls_errors_total', { reason: 'timeout' })).toBe(1);
    expect(metric(text, 'sallyport_proxy_header_errors_total', { reason: 'malformed' })).toBe(1);
    expect(metric(text, 'sallyport_accept_errors_total')).toBe(1);
  });
});

test('several observers are told, in order, with all that is known', () => {
  const heard: unknown[][] = [];
  const named = (name: string) => ({
    opened: () => void heard.push([name, 'opened']),
    closed: () => void heard.push([name, 'closed']),
    parted: (...all: unknown[]) => void heard.push([name, 'parted', ...all]),
    tlsFailed: (...all: unknown[]) => void heard.push([name, 'tlsFailed', ...all]),
    proxyHeaderFailed: (...all: unknown[]) => void heard.push([name, 'proxyHeaderFailed', ...all]),
    acceptFailed: (...all: unknown[]) => void heard.push([name, 'acceptFailed', ...all]),
  });
  const both = combineConnectionObservers(named('a'), named('b'));
  const error = new Error();
  both.opened();
  both.parted('full', '::1');
  both.tlsFailed('client_certificate', '::1', 'CERT_HAS_EXPIRED');
  both.proxyHeaderFailed('malformed', '::1', 'the PROXY line is malformed');
  both.acceptFailed(error);
  both.closed();
  const calls = [
    ['opened'],
    ['parted', 'full', '::1'],
    ['tlsFailed', 'client_certificate', '::1', 'CERT_HAS_EXPIRED'],
    ['proxyHeaderFailed', 'malformed', '::1', 'the PROXY line is malformed'],
    ['acceptFailed', error],
    ['closed'],
  ];
  expect(heard).toEqual(
    calls.flatMap((call) => [
      ['a', ...call],
      ['b', ...call],
    ]),
  );
});
