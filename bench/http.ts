import { fork } from 'node:child_process';
import { once } from 'node:events';
import autocannon from 'autocannon';

/**
 * Plain HTTP: what passing through costs beside a bare `http-proxy`, and how fast refusals are. Everything on this
 * machine, each server in a process of its own, the runs of all cases interleaved; medians are printed, and ratios.
 *
 *     npm run bench            # about a minute; -- --seconds 1 --rounds 1 for a glance
 */

const argument = (name: string, otherwise: number) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const seconds = argument('seconds', 3);
const rounds = argument('rounds', 5);

/** Starts `bench/servers.ts ROLE [PORT]` and resolves with its port. */
async function start(role: string, upstream = 0): Promise<{ port: number; stop(): void }> {
  const child = fork(new URL('./servers.ts', import.meta.url), [role, String(upstream)], {
    stdio: 'inherit',
  });
  const [port] = (await once(child, 'message')) as [number];
  return { port, stop: () => child.kill() };
}

const service = await start('service');
const bare = await start('http-proxy', service.port);
const gateway = await start('sallyport', service.port);

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'c2FsbHlwb3J0LWJlbmNoIQ==',
};

interface Case {
  readonly name: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Record<string, string>;
}

const cases: Case[] = [
  { name: 'service itself', port: service.port, path: '/' },
  { name: 'http-proxy', port: bare.port, path: '/' },
  { name: 'sallyport', port: gateway.port, path: '/' },
  { name: 'refusal 401 (no token)', port: gateway.port, path: '/locked', headers: HANDSHAKE },
  {
    name: 'refusal 403 (origin)',
    port: gateway.port,
    path: '/locked',
    headers: { ...HANDSHAKE, origin: 'https://evil.test' },
  },
  { name: 'refusal 429 (limit)', port: gateway.port, path: '/limited', headers: HANDSHAKE },
];

const results = new Map<string, { rates: number[]; p99: number[] }>();
for (let round = 0; round < rounds; round++) {
  for (const { name, port, path, headers } of cases) {
    process.stderr.write(`\rround ${round + 1}/${rounds}: ${name.padEnd(30)}`);
    const url = `http://127.0.0.1:${port}${path}`;
    const { requests, latency } = await autocannon({ url, headers, connections: 32, duration: seconds });
    const sofar = results.get(name) ?? { rates: [], p99: [] };
    results.set(name, { rates: [...sofar.rates, requests.average], p99: [...sofar.p99, latency.p99] });
  }
}
process.stderr.write('\r'.padEnd(60));

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const yardstick = median(results.get('http-proxy')?.rates ?? []);
console.log(`\nrequests/s over 32 connections, medians of ${rounds} × ${seconds} s, node ${process.version}`);
for (const [name, { rates, p99 }] of results) {
  const rate = median(rates);
  const ratio = (rate / yardstick).toFixed(2);
  console.log(
    `${name.padEnd(26)}${rate.toFixed(0).padStart(8)}   ${ratio} × http-proxy   p99 ${median(p99)} ms`,
  );
}
for (const server of [gateway, bare, service]) server.stop();
