import { onTestFinished } from 'vitest';
import { metric } from './census.ts';
import { startDns } from './dns.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { eventually } from './patience.ts';
import { freePort } from './ports.ts';
import { startTarget, type TargetProcess } from './processes.ts';
import { startTraffic, type Traffic, type Visit, visit } from './traffic.ts';

/** Targets in processes of their own behind one name of a DNS server of our own, and a gateway in front of them. */

/** One port, and an address for each target. */
export const [ONE, TWO, THREE, FOUR] = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] as const;
export type Place = typeof ONE | typeof TWO | typeof THREE | typeof FOUR;

/** Ends in a dot, so that it is asked for as it stands, whatever the search list of this machine. */
const NAME = 'app.sallyport.test.';

const PACE = { prefix: '/visit', perSecond: 50, heldMs: 1_000 };

export interface Fleet {
  readonly gateway: TestGateway;
  /** Fifty upgrades a second, whose sessions last for a second. */
  traffic(): Traffic;
  /** The same straight to the first target: what the machine makes of it without a gateway. */
  straight(): Traffic;
  /** Opens so many sessions at once, which stay open. Resolves when all have been greeted. */
  hold(count: number): Promise<Visit[]>;
  stop(place: Place): void;
  kill(place: Place): Promise<void>;
  /** Starts its process anew, or for the first time. */
  restart(place: Place): Promise<void>;
  /** DNS names it from now on. Resolves when the gateway has heard of it. */
  join(place: Place): Promise<void>;
  /** As the gateway calls it. */
  name(place: Place): string;
  dials(place: Place, outcome: string): Promise<number>;
}

export interface FleetOptions {
  readonly handshakeMs: number;
  /** As in the configuration. */
  readonly health?: string;
}

/** Starts three targets; all ends with the test. */
export async function startFleet({ handshakeMs, health }: FleetOptions): Promise<Fleet> {
  const processes = new Map<Place, TargetProcess>();
  onTestFinished(async () => {
    for (const each of processes.values()) await each.kill();
  });
  const port = await freePort();
  const addresses: Place[] = [ONE, TWO, THREE];
  await Promise.all(addresses.map((place) => startAt(place, port)));
  const dns = await startDns((name) => (`${name}.` === NAME ? { ttl: 1, addresses } : 'nxdomain'));
  onTestFinished(() => dns.close());
  const gateway = await startGateway(
    `routes:
  - name: r
    match: { path: /* }
    auth: none
    timeouts: { handshake: ${handshakeMs}ms, close: 1s }
    upstream: { websocket: "ws://${NAME}:${port}"${health ? `, health: ${health}` : ''} }`,
    {},
    { dnsServers: [dns.address] },
  );
  onTestFinished(() => gateway.close());

  async function startAt(place: Place, at: number): Promise<TargetProcess> {
    const started = await startTarget(place, at);
    processes.set(place, started);
    return started;
  }
  const name = (place: Place) => `${NAME}:${port}/${place}`;

  return {
    gateway,
    name,
    traffic: () => startTraffic(gateway.url, PACE),
    straight: () => startTraffic((path) => `ws://${ONE}:${port}${path}`, PACE),
    async hold(count) {
      const held = Array.from({ length: count }, (_, at) => visit(gateway.url, `/held/${at}`)[0]);
      await eventually(() => held.every(({ durationMs }) => durationMs !== undefined), 'greetings', 10_000);
      return held;
    },
    stop: (place) => processes.get(place)?.stop(),
    kill: async (place) => processes.get(place)?.kill(),
    async restart(place) {
      await processes.get(place)?.kill();
      await startAt(place, port);
    },
    async join(place) {
      addresses.push(place);
      await eventually(async () => (await gateway.metrics()).includes(`target="${name(place)}"`));
    },
    dials: async (place, outcome) =>
      metric(await gateway.metrics(), 'sallyport_upstream_dials_total', { target: name(place), outcome }),
  };
}
