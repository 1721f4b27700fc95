import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { metric } from '../support/census.ts';
import { startWebSocket } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { ADDED, means, readExpression, readScrape, type Selector, type Series } from '../support/promql.ts';
import { handshake, open, say } from '../support/raw.ts';

/** config/grafana.json and config/alerts.yaml ask for nothing that a gateway does not tell from its first scrape on. */

/** Every expression, by where it stands. */
function expressions(): [where: string, expression: string][] {
  const { panels } = JSON.parse(readFileSync('config/grafana.json', 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const { groups } = parse(readFileSync('config/alerts.yaml', 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  return [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }, index): [string, string] => [`panel ${title} ${index + 1}`, expr]),
    ),
    ...groups.flatMap(({ rules }) =>
      rules.map(({ alert, expr }): [string, string] => [`alert ${alert}`, expr]),
    ),
  ];
}

/** Has a route of each bridge, and whatever else has series of its own. */
function configWith({ cert, key }: { cert: string; key: string }): string {
  return `
listeners:
  - { host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: "${cert}", key: "${key}" }] } }
admin: { port: 0 }
issuers: { main: { issuer: "https://id.test/", audience: a, algorithms: [HS256], secret: "0123456789abcdef0123456789abcdef" } }
routes:
  - { name: relayed, match: { path: /relayed }, auth: none, limits: { upgrades: { rate: 9/s, per: address }, messages: { rate: 9/s, per: connection, over: close } }, upstream: { websocket: "ws://127.0.0.1:1" } }
  - { name: tunnelled, match: { path: /tunnelled }, auth: none, upstream: { tcp: "127.0.0.1:1" } }
  - { name: polled, match: { path: /polled }, auth: none, upstream: { poll: { target: "http://127.0.0.1:1", poll: { path: / } } } }
  - { name: pages, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:1", upgrades: off } }`;
}

let text = '';
let scrape: readonly Series[] = [];

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  const gateway = await startGateway(configWith(await certificate(folder, ['localhost'])));
  text = await gateway.metrics();
  scrape = readScrape(text);
  await gateway.close();
  await rm(folder, { recursive: true });
});

/** A selector for each of the values that `=~"a|b"` allows: every one must be there. */
function alternatives({ metric, matchers }: Selector): Selector[] {
  const several = matchers.find(({ operator, value }) => operator === '=~' && value.includes('|'));
  if (several === undefined) return [{ metric, matchers }];
  const others = matchers.filter((matcher) => matcher !== several);
  return several.value.split('|').map((value) => ({ metric, matchers: [...others, { ...several, value }] }));
}

describe('a fresh gateway has what is asked for', () => {
  test.each(expressions())('by the %s', (_where, expression) => {
    const { selectors, groupedBy } = readExpression(expression);
    expect(selectors).not.toEqual([]);
    for (const selector of selectors.flatMap(alternatives)) {
      const found = scrape.filter((series) => means(selector, series));
      expect(found, JSON.stringify(selector)).not.toEqual([]);
      const known = new Set([...ADDED, ...found.flatMap(({ labels }) => Object.keys(labels))]);
      for (const label of groupedBy) expect(known, selector.metric).toContain(label);
    }
  });
});

test('every alert says what it means and what to do', () => {
  const { groups } = parse(readFileSync('config/alerts.yaml', 'utf8'));
  for (const { annotations, labels } of groups[0].rules) {
    expect(annotations.summary).toMatch(/^.{10,130}$/);
    expect(annotations.runbook).toMatch(/^.{30,}/);
    expect(labels.severity).toMatch(/^(critical|warning)$/);
  }
});

test('nothing that is there from the start counts', () => {
  const counted = text
    .split('\n')
    .filter((line) => /^sallyport_.*(_total|_count|_sum)(\{.*\})? [^0]/.test(line));
  expect(counted).toEqual([]);
});

test('handshakes are measured by phase, as far as they come', async () => {
  await using service = await startWebSocket();
  await using gateway = await startGateway(`
routes:
  - { name: chat, match: { path: /chat }, auth: none, upstream: { websocket: "ws://127.0.0.1:${service.port}" } }
  - { name: closed, match: { path: /closed }, auth: none, addresses: { allow: [192.0.2.1] }, upstream: { websocket: "ws://127.0.0.1:1" } }
  - { name: dead, match: { path: /dead }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }`);
  using _client = await open(gateway.port, '/chat');
  for (const path of ['/closed', '/dead', '/nowhere']) {
    using refused = await say(gateway.port, handshake(path));
    await refused.answer();
  }
  const later = await gateway.metrics();
  const counts = (route: string) =>
    ['parse', 'admit', 'dial'].map((phase) =>
      metric(later, 'sallyport_handshake_seconds_count', { route, phase }),
    );
  expect([counts('chat'), counts('closed'), counts('dead'), counts('')]).toEqual([
    [1, 1, 1],
    [1, 1, 0],
    [1, 1, 1],
    [1, 0, 0],
  ]);
  const dialled = metric(later, 'sallyport_handshake_seconds_sum', { route: 'chat', phase: 'dial' });
  expect(dialled).toBeGreaterThan(0);
  expect(dialled).toBeLessThan(5);
});

test('a route adds at most 150 series', () => {
  const of = (route: string) => scrape.filter(({ labels }) => labels.route === route).length;
  for (const route of ['relayed', 'tunnelled', 'polled', 'pages']) {
    expect(of(route)).toBeGreaterThan(10);
    expect(of(route)).toBeLessThan(150);
  }
});
