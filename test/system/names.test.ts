import { readdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { backTo, eventually, quietCensus } from '../support/census.ts';
import { startDns } from '../support/dns.ts';
import { FOUR, ONE, THREE, TWO } from '../support/fleet.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startTarget } from '../support/processes.ts';
import { startTraffic, type Visit, visit } from '../support/traffic.ts';

/** Names of targets whose DNS servers mean no good: they never answer, or answer something else each time. */

/** Both end in a dot, so that they are asked for as they stand, whatever the search list of this machine. */
const APP = 'app.sallyport.test.';
const SILENT = 'silent.sallyport.test.';
const ADDRESSES = [ONE, TWO, THREE, FOUR];

const PACE = { prefix: '/app', perSecond: 50, heldMs: 100 };

async function startGatewayAt(dns: string, routes: string): Promise<TestGateway> {
  const gateway = await startGateway(`routes:\n${routes}`, {}, { dnsServers: [dns] });
  onTestFinished(() => gateway.close());
  return gateway;
}

const routeTo = (host: string, port: number) => `
  - { name: app, match: { path: /* }, auth: none, upstream: { websocket: "ws://${host}:${port}" } }`;

/** A target at each address, all on one port. */
async function startTargets(addresses: readonly string[]): Promise<number> {
  let port = 0;
  for (const address of addresses) {
    const target = await startTarget(address, port);
    onTestFinished(() => target.kill());
    port = target.port;
  }
  return port;
}

const openFiles = () => readdirSync('/proc/self/fd').length;
const durationOf = ({ durationMs = Infinity }: Visit) => durationMs;

function percentile(visits: readonly Visit[], share: number): number {
  const sorted = visits.map(durationOf).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] as number;
}

const HANDSHAKE_MS = 2_000;

/** A gateway to a name that is answered for, and to a hundred that are not. */
async function startSilentGateway(dns: string, port: number): Promise<TestGateway> {
  const silent = Array.from(
    { length: 100 },
    (_, at) => `
  - name: silent-${at}
    match: { path: /silent/${at} }
    auth: none
    timeouts: { handshake: ${HANDSHAKE_MS}ms }
    upstream: { websocket: "ws://n${at}.${SILENT}:${port}" }`,
  );
  // The good name comes last: were names looked up in turn, it would wait.
  return startGatewayAt(dns, silent.join('\n') + routeTo(APP, port));
}

/** A hundred upgrades at once, and what the others saw that began until the last of them was over. */
async function playSilence(gateway: TestGateway, plain: TestGateway) {
  const others = startTraffic(gateway.url, PACE);
  const control = startTraffic(plain.url, PACE);
  await others.more(25);
  const first = others.visits.length;
  const hundred = Array.from({ length: 100 }, (_, at) => visit(gateway.url, `/silent/${at}`));
  await Promise.all(hundred.map(([, over]) => over));
  const meanwhile = others.visits.slice(first);
  await Promise.all([others.stop(), control.stop()]);
  return { waiting: hundred.map(([seen]) => seen), meanwhile, control: control.visits };
}

test('a hundred upgrades to names on a silent DNS server delay no other, and leave nothing open', async () => {
  const port = await startTargets([ONE]);
  await using dns = await startDns((name) => (`${name}.` === APP ? { ttl: 1, addresses: [ONE] } : 'silence'));
  const plain = await startGatewayAt(dns.address, routeTo(ONE, port));
  const before = await quietCensus();
  const filesBefore = openFiles();
  const gateway = await startSilentGateway(dns.address, port);
  const { waiting, meanwhile, control } = await playSilence(gateway, plain);

  const refusals = new Set(waiting.map(({ failure }) => failure));
  expect(refusals).toEqual(new Set(['Unexpected server response: 504']));
  expect(Math.min(...waiting.map(durationOf))).toBeGreaterThan(HANDSHAKE_MS - 5);
  expect(Math.max(...waiting.map(durationOf))).toBeLessThan(HANDSHAKE_MS + 1_000);
  expect(new Set(dns.questions).size).toBe(2 * 101);
  expect(meanwhile.length).toBeGreaterThan(50);
  expect(meanwhile.filter(({ code, greeting }) => code !== 1000 || greeting !== ONE)).toEqual([]);
  // The machine may be slow by itself: that is seen at the gateway without names, where it takes 3 ms otherwise.
  expect(percentile(meanwhile, 0.99)).toBeLessThan(100 + percentile(control, 0.99));

  await eventually(() => gateway.gateway.connections === 0);
  await gateway.close();
  // Long before a lookup ends by itself.
  await backTo(before, 1_000);
  const tooMany = () => `${openFiles()} files, ${filesBefore} before`;
  await eventually(() => openFiles() <= filesBefore, tooMany, 1_000);
});

test('a name that is another address at each question is asked for once a dial, and that address is dialled', async () => {
  const port = await startTargets(ADDRESSES);
  const questions: string[] = [];
  const addressOf = (round: number) => ADDRESSES[round % ADDRESSES.length] as string;
  const released = Promise.withResolvers<void>();
  await using dns = await startDns(async (_, type) => {
    if (type === 'AAAA') return { ttl: 0, addresses: [] };
    const round = questions.push(type) - 1;
    await released.promise;
    return { ttl: 0, addresses: [addressOf(round)] };
  });
  const gateway = await startGatewayAt(dns.address, routeTo(APP, port));
  const knows = async (address: string) =>
    (await gateway.metrics()).includes(`target="${APP}:${port}/${address}"`);

  for (let round = 0; round < 6; round++) {
    // The first one waits for the very first answer.
    if (round > 0) await eventually(() => knows(addressOf(round)));
    const [seen, over] = visit(gateway.url, `/round/${round}`, 0);
    if (round === 0) await fetch(`http://127.0.0.1:${gateway.port}/`);
    released.resolve();
    await over;
    expect(seen).toMatchObject({ greeting: addressOf(round), code: 1000 });
    expect(questions).toHaveLength(round + 1);
    const line = await gateway.logged(({ msg, path }) => msg === 'session opened' && path === seen.path);
    expect(line.target).toBe(`${APP}:${port}/${addressOf(round)}`);
  }
});
