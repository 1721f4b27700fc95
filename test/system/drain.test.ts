import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServing } from '../support/cli.ts';
import {
  type Collector,
  startPollCollector,
  startTcpCollector,
  startWebSocketCollector,
} from '../support/collectors.ts';
import type { Ledger } from '../support/numbered.ts';
import { eventually, within } from '../support/patience.ts';
import type { Report } from '../support/senders.ts';

/** SIGTERM amid traffic: what a client has sent before it saw our Close reaches the service. */

const SENDERS = fileURLToPath(new URL('../support/senders.ts', import.meta.url));
const PER_SECOND = 10;
const SECONDS = 2;
/** Connections come up, and messages flow, on a busy machine. */
const SLOW_MS = 40_000;
const DRAIN_MS = 10_000;

/** Clients in one process; resolves with what they report in the end. */
function startSenders(url: string, count: number): Promise<Report> {
  const child = spawn(process.execPath, [SENDERS, url, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return text(child.stdout).then((out) => JSON.parse(out) as Report);
}

function lossesIn(sent: readonly number[], { last }: Ledger): string[] {
  return sent.flatMap((number, client) =>
    last.get(client) === number ? [] : [`${client}: ${last.get(client)} of ${number}`],
  );
}

const CASES: readonly [string, number, () => Promise<Collector>][] = [
  ['websocket', 500, startWebSocketCollector],
  ['tcp', 500, startTcpCollector],
  // A request for every message either way: as much work as ten times the connections of the others.
  ['poll', 50, startPollCollector],
];

test.each(CASES)(
  'nothing that was sent is lost: %s, %i connections',
  async (_bridge, count, startCollector) => {
    const service = await startCollector();
    const { daemon, port } = await startServing(`
listeners: [{ host: 127.0.0.1, port: 0 }]
drain: ${DRAIN_MS}ms
routes:
  - { name: r, match: { path: "/{client}" }, auth: none, upstream: ${service.upstream} }
`);
    const reporting = startSenders(`ws://127.0.0.1:${port}`, count);
    const { received } = service;
    await eventually(
      () => received.count >= count * PER_SECOND * SECONDS,
      () => `${received.count}`,
      SLOW_MS,
    );
    daemon.signal('SIGTERM');
    expect(await within(daemon.exit, 'the end of the gateway', DRAIN_MS)).toBe(0);
    const report = await within(reporting, 'what the clients report');
    await eventually(
      () => service.open === 0,
      () => `${service.open} connections are open`,
    );

    expect(new Set(report.codes)).toEqual(new Set([1001]));
    expect(lossesIn(report.sent, received)).toEqual([]);
    expect([...received.faults, ...report.faults]).toEqual([]);
    expect(Math.min(...report.sent, ...report.heard)).toBeGreaterThanOrEqual(PER_SECOND);
  },
);
