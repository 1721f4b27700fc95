import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { combine, type SessionRecord } from '../../src/observe/index.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { gatewayRequest, servedRecord, sessionRecord } from '../support/observe.ts';

const BYE = { code: 1000, reason: 'bye', by: 'client', clean: true } as const;

function start() {
  const open = new Set<SessionRecord>();
  const metrics = createMetrics({ open: () => open });
  /** The value of one series, as written in the scrape; undefined if it is not there. */
  async function value(series: string): Promise<number | undefined> {
    const line = (await metrics.render()).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }
  function begin(session: SessionRecord): SessionRecord {
    open.add(session);
    metrics.opened(session, {});
    return session;
  }
  function end(
    session: SessionRecord,
    ending: Parameters<typeof metrics.ended>[1] = BYE,
    durationMs = 1,
  ): void {
    open.delete(session);
    metrics.ended(session, ending, durationMs);
  }
  return { metrics, value, begin, end };
}

describe('createMetrics', () => {
  test('counts open sessions by route and bridge, down to zero', async () => {
    const { value, begin, end } = start();
    const first = begin(sessionRecord());
    begin(sessionRecord({ route: 'vnc', bridge: 'tcp' }));
    const series = 'sallyport_sessions_open{route="chat",bridge="websocket"}';
    expect(await value(series)).toBe(1);
    expect(await value('sallyport_sessions_open{route="vnc",bridge="tcp"}')).toBe(1);
    end(first);
    expect(await value(series)).toBe(0);
  });

  test('counts messages and bytes while sessions are open, and never loses or doubles them at the end', async () => {
    const { value, begin, end } = start();
    const one = begin(sessionRecord());
    const other = begin(sessionRecord());
    const messagesUp = 'sallyport_messages_total{route="chat",direction="up"}';
    const bytesDown = 'sallyport_payload_bytes_total{route="chat",direction="down"}';
    one.up.messages = 5;
    other.up.messages = 2;
    other.down.bytes = 700;
    expect(await value(messagesUp)).toBe(7);
    expect(await value(bytesDown)).toBe(700);
    one.up.messages = 6;
    end(one);
    expect(await value(messagesUp)).toBe(8);
    end(other);
    expect(await value(messagesUp)).toBe(8);
    expect(await value(bytesDown)).toBe(700);
    begin(sessionRecord()).up.messages = 1;
    expect(await value(messagesUp)).toBe(9);
  });

  test('two scrapes at once agree', async () => {
    const { metrics, begin } = start();
    begin(sessionRecord()).up.messages = 3;
    const scrapes = await Promise.all([metrics.render(), metrics.render()]);
    for (const text of scrapes)
      expect(text).toContain('sallyport_messages_total{route="chat",direction="up"} 3\n');
  });

  test('tells of the endpoints there are, and of no other', async () => {
    const endpoint = (name: string, live: number, isWell: boolean) => ({
      route: 'chat',
      name,
      live,
      isWell: () => isWell,
    });
    const [good, bad] = [endpoint('10.0.0.7:80', 2, true), endpoint('10.0.0.8:80', 0, false)];
    const endpoints = new Set([good, bad]);
    const metrics = createMetrics({ open: () => [], endpoints: () => endpoints });
    metrics.dialled(good, 'connected', 20);
    metrics.dialled(good, 'connected', 20);
    metrics.dialled(bad, 'UPSTREAM_REFUSED', 20);
    const text = await metrics.render();
    for (const line of [
      'sallyport_upstream_sessions{route="chat",target="10.0.0.7:80"} 2',
      'sallyport_upstream_healthy{route="chat",target="10.0.0.7:80"} 1',
      'sallyport_upstream_healthy{route="chat",target="10.0.0.8:80"} 0',
      'sallyport_upstream_dials_total{route="chat",target="10.0.0.7:80",outcome="connected"} 2',
      'sallyport_upstream_dials_total{route="chat",target="10.0.0.8:80",outcome="UPSTREAM_REFUSED"} 1',
      'sallyport_upstream_dial_seconds_bucket{le="0.025",route="chat"} 2',
    ])
      expect(text).toContain(`${line}\n`);
    endpoints.delete(bad);
    metrics.forgotten(bad);
    expect(await metrics.render()).not.toContain('10.0.0.8');
  });

  test('has every series of a route before anything has happened, as far as the route can count it', async () => {
    const routes = [
      { name: 'chat', upstream: { websocket: [] } },
      { name: 'vnc', upstream: { tcp: [] } },
      { name: 'site', upstream: { http: [], upgrades: 'off' } },
      { name: 'whole', upstream: { http: [] } },
      { name: 'feed', upstream: { poll: {} } },
      { name: 'chores', upstream: { post: {} } },
    ] as unknown as NonNullable<Parameters<typeof createMetrics>[0]['routes']>;
    const lines = (await createMetrics({ open: () => [], routes }).render()).split('\n');
    for (const series of [
      'sallyport_sessions_open{route="chat",bridge="websocket"}',
      'sallyport_sessions_open{route="vnc",bridge="tcp"}',
      'sallyport_sessions_open{route="whole",bridge="websocket"}',
      'sallyport_messages_total{route="vnc",direction="down"}',
      'sallyport_payload_bytes_total{route="whole",direction="up"}',
      'sallyport_sessions_ended_total{route="chat",code="1014",by="upstream"}',
      'sallyport_session_duration_seconds_count{route="chat"}',
      'sallyport_undelivered_messages_total{route="feed"}',
      'sallyport_goodbyes_total{route="chores",outcome="dropped"}',
      'sallyport_upgrades_total{route="chat",outcome="accepted"}',
      'sallyport_upgrades_total{route="vnc",outcome="TOKEN_EXPIRED"}',
      'sallyport_upgrades_total{route="",outcome="NO_ROUTE"}',
      'sallyport_handshake_seconds_bucket{le="+Inf",route="chat",phase="parse"}',
      'sallyport_handshake_seconds_count{route="whole",phase="dial"}',
      'sallyport_upstream_dial_seconds_count{route="site"}',
      'sallyport_requests_total{route="site",status="2xx"}',
      'sallyport_requests_total{route="whole",status="5xx"}',
      'sallyport_requests_total{route="chat",status="4xx"}',
    ])
      expect(lines).toContain(`${series} 0`);
    const text = lines.join('\n');
    expect(text).not.toMatch(/^sallyport_(sessions|session|upgrades|handshake|messages)\w*\{.*route="site"/m);
    expect(text).not.toContain('sallyport_requests_total{route="chat",status="2xx"}');
  });

  test('a target has the series of its dials from the first scrape on', async () => {
    const endpoint = { route: 'chat', name: '10.0.0.7:80', live: 0, isWell: () => true };
    const text = await createMetrics({ open: () => [], endpoints: () => [endpoint] }).render();
    for (const outcome of ['connected', 'UPSTREAM_REFUSED', 'UPSTREAM_TIMEOUT'])
      expect(text).toContain(
        `sallyport_upstream_dials_total{route="chat",target="10.0.0.7:80",outcome="${outcome}"} 0\n`,
      );
  });

  test('tells what runs', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'));
    const { metrics } = start();
    expect(await metrics.render()).toContain(
      `\nsallyport_build_info{version="${version}",node="${process.version}"} 1\n`,
    );
  });

  test('measures the phases of handshakes in seconds, of refused ones as far as they came', async () => {
    const { metrics, value } = start();
    metrics.opened(sessionRecord(), { parse: 0.2, admit: 3, dial: 40 });
    const request = { id: 'r', kind: 'upgrade', peerAddress: '::1' } as const;
    const refusal = new GatewayError('TOKEN_EXPIRED');
    metrics.refused({ ...request, route: 'chat' }, refusal, 5, { parse: 0.4, admit: 5 });
    metrics.refused(request, new GatewayError('NO_ROUTE'), 1, { parse: 1 });
    metrics.refused({ ...request, kind: 'request' }, refusal, 1);
    const of = (suffix: string, phase: string, route = 'chat') =>
      value(`sallyport_handshake_seconds_${suffix}{route="${route}",phase="${phase}"}`);
    expect([await of('count', 'parse'), await of('count', 'admit'), await of('count', 'dial')]).toEqual([
      2, 2, 1,
    ]);
    expect(await of('sum', 'admit')).toBeCloseTo(0.008);
    expect(await of('sum', 'dial')).toBeCloseTo(0.04);
    expect([await of('count', 'parse', ''), await of('count', 'admit', '')]).toEqual([1, undefined]);
  });

  test('counts upgrades by route and outcome', async () => {
    const { metrics, value, begin } = start();
    begin(sessionRecord());
    const request = { id: 'r', kind: 'upgrade', peerAddress: '::1' } as const;
    metrics.refused({ ...request, route: 'chat' }, new GatewayError('TOKEN_EXPIRED'), 1);
    metrics.refused(request, new GatewayError('NO_ROUTE'), 1);
    expect(await value('sallyport_upgrades_total{route="chat",outcome="accepted"}')).toBe(1);
    expect(await value('sallyport_upgrades_total{route="chat",outcome="TOKEN_EXPIRED"}')).toBe(1);
    expect(await value('sallyport_upgrades_total{route="",outcome="NO_ROUTE"}')).toBe(1);
  });

  test('counts plain requests by class of status, refused ones among them and not among the upgrades', async () => {
    const { metrics, value } = start();
    metrics.served(gatewayRequest(), servedRecord({ status: 204 }), 1);
    metrics.served(gatewayRequest(), servedRecord(), 1);
    const request = { id: 'r', kind: 'request', peerAddress: '::1', route: 'site' } as const;
    metrics.refused(request, new GatewayError('TOKEN_MISSING'), 1);
    expect(await value('sallyport_requests_total{route="site",status="2xx"}')).toBe(2);
    expect(await value('sallyport_requests_total{route="site",status="4xx"}')).toBe(1);
    expect(await metrics.render()).not.toMatch(/^sallyport_upgrades_total.*[1-9]$/m);
  });

  test.each([
    [1000, '1000'],
    [1005, '1005'],
    [1014, '1014'],
    [3000, '3000'],
    [3003, '3003'],
    [3999, '3xxx'],
    [4001, '4xxx'],
    [4999, '4xxx'],
  ])('counts close code %i as %s', async (code, label) => {
    const { value, begin, end } = start();
    end(begin(sessionRecord()), { code, reason: '', by: 'upstream', clean: true });
    expect(await value(`sallyport_sessions_ended_total{route="chat",code="${label}",by="upstream"}`)).toBe(1);
  });

  test('measures how long sessions last, in seconds', async () => {
    const { value, begin, end } = start();
    end(begin(sessionRecord()), BYE, 30_000);
    expect(await value('sallyport_session_duration_seconds_sum{route="chat"}')).toBe(30);
    expect(await value('sallyport_session_duration_seconds_bucket{le="10",route="chat"}')).toBe(0);
    expect(await value('sallyport_session_duration_seconds_bucket{le="60",route="chat"}')).toBe(1);
  });

  test('no label holds a subject, an address, an id, a path or an origin', async () => {
    const { metrics, begin, end } = start();
    end(begin(sessionRecord()), { code: 4321, reason: 'private reason', by: 'client', clean: true });
    metrics.served(gatewayRequest({ path: '/private' }), servedRecord(), 1);
    // Values are any digits: only what names something is looked at.
    const labels = (await metrics.render()).match(/\{[^}]*\}/g)?.join('\n');
    expect(labels).toMatch(/route="/);
    expect(labels).not.toMatch(/ada|203\.0\.113|10\.0\.0\.1|s-1|\/chat|example|4321|private/);
  });

  test('tells how many log lines were dropped, from the first scrape on', async () => {
    let dropped = 0;
    const metrics = createMetrics({ open: () => [], droppedLines: () => dropped });
    expect(await metrics.render()).toContain('\nsallyport_log_lines_dropped_total 0\n');
    dropped = 7;
    expect(await metrics.render()).toContain('\nsallyport_log_lines_dropped_total 7\n');
  });

  test('counts what the gateway answers itself by its path, from the start', async () => {
    const path = '/.sallyport/refresh';
    const text = await createMetrics({ open: () => [], paths: [path] }).render();
    for (const status of ['2xx', '4xx', '5xx'])
      expect(text).toContain(`sallyport_requests_total{route="${path}",status="${status}"} 0`);
  });

  test('counts what limits do, each from the start, and names no claim', async () => {
    const { metrics, value } = start();
    const throttled = metrics.limits.watch('chat', { limit: 'messages', per: 'claim:tenant' }, 'throttled');
    const series = 'sallyport_limited_total{route="chat",limit="messages",per="claim",outcome="throttled"}';
    expect(await value(series)).toBe(0);
    throttled();
    throttled();
    expect(await value(series)).toBe(2);
    // A route compiled again goes on counting.
    metrics.limits.watch('chat', { limit: 'messages', per: 'claim:tenant' }, 'throttled')();
    expect(await value(series)).toBe(3);
  });

  test('gives the process metrics too, in the text format', async () => {
    const { metrics } = start();
    expect(await metrics.render()).toMatch(/^process_cpu_seconds_total \d/m);
    expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });
});

describe('combine', () => {
  test('tells every observer, in order, with all that is known', () => {
    const heard: unknown[][] = [];
    const named = (name: string) => ({
      opened: (...all: unknown[]) => void heard.push([name, 'opened', ...all]),
      ended: (...all: unknown[]) => void heard.push([name, 'ended', ...all]),
      over: (...all: unknown[]) => void heard.push([name, 'over', ...all]),
      refused: (...all: unknown[]) => void heard.push([name, 'refused', ...all]),
      served: (...all: unknown[]) => void heard.push([name, 'served', ...all]),
    });
    const both = combine(named('a'), named('b'));
    const error = new GatewayError('NO_ROUTE');
    const refused = { id: 'r', kind: 'upgrade', peerAddress: '::1' } as const;
    const [session, request] = [sessionRecord(), gatewayRequest()];
    both.opened(session, { parse: 1 });
    both.ended(session, BYE, 5, { code: 'IDLE' });
    both.over(session, BYE, 5, { code: 'GOING_AWAY' });
    both.refused(refused, error, 6, { parse: 2 });
    both.served(request, servedRecord(), 7);
    const calls = [
      ['opened', session, { parse: 1 }],
      ['ended', session, BYE, 5, { code: 'IDLE' }],
      ['over', session, BYE, 5, { code: 'GOING_AWAY' }],
      ['refused', refused, error, 6, { parse: 2 }],
      ['served', request, servedRecord(), 7],
    ];
    expect(heard).toEqual(
      calls.flatMap((call) => [
        ['a', ...call],
        ['b', ...call],
      ]),
    );
  });
});
