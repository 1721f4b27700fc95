import { expect, test } from 'vitest';
import { metric } from '../support/census.ts';
import { type Fleet, FOUR, ONE, startFleet, THREE, TWO } from '../support/fleet.ts';
import { eventually } from '../support/patience.ts';
import type { Traffic, Visit } from '../support/traffic.ts';

/** Targets behind one name are killed, stopped and restarted under fifty upgrades a second, and another joins. */

/** What an upgrade may take beyond the slowest connection without a gateway: less than any wait for a target. */
const SLACK_MS = 250;
const HANDSHAKE_MS = 2_000;
/** Fifty a second for longer than the 10 s of a slow start. */
const PAST_SLOW_START = 550;

const durationOf = ({ durationMs = Infinity }: Visit) => durationMs;
const endOf = (visit: Visit) => visit.startedAt + durationOf(visit);
/** One of three targets has a third of the time. A timer may be early by its last millisecond. */
const hasWaited = (visit: Visit) => durationOf(visit) >= HANDSHAKE_MS / 3 - 1;
const slowest = (visits: readonly Visit[]) => Math.max(...visits.map(durationOf));
const begunBetween = (visits: readonly Visit[], from: number, to: number) =>
  visits.filter(({ startedAt }) => startedAt > from && startedAt < to);

function countByTarget(visits: readonly Visit[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { greeting = 'none' } of visits) counts[greeting] = (counts[greeting] ?? 0) + 1;
  return counts;
}

/** Resolves when each of these targets has a session that began after `from`. */
function served(traffic: Traffic, targets: readonly string[], from: number): Promise<void> {
  const serves = (target: string) =>
    traffic.visits.some(({ greeting, startedAt }) => greeting === target && startedAt > from);
  return eventually(() => targets.every(serves), `sessions at ${targets}`, 15_000);
}

/** Where the sessions were of all that went wrong, as the log tells it. */
function placesOfFailures({ gateway }: Fleet, visits: readonly Visit[]): Set<unknown> {
  const failed = visits.filter(({ failure, code }) => failure !== undefined || code !== 1000);
  const opened = gateway.log.filter(({ msg }) => msg === 'session opened');
  return new Set(failed.map((visit) => opened.find(({ path }) => path === visit.path)?.target));
}

/** Three hundred sessions at once: as many at each target, but for one. */
async function expectEven(fleet: Fleet, targets: readonly string[]): Promise<void> {
  const counts = countByTarget(await fleet.hold(300));
  expect(Object.keys(counts).sort()).toEqual(targets);
  const even = 300 / targets.length;
  for (const count of Object.values(counts)) expect(Math.abs(count - even)).toBeLessThanOrEqual(1);
}

/** One target is killed and one stopped until it has been probed twice; both are restarted, and a fourth joins. */
async function playOutage(fleet: Fleet) {
  const traffic = fleet.traffic();
  const straight = fleet.straight();
  await traffic.more(100);
  fleet.stop(THREE);
  await fleet.kill(TWO);
  const waiting = () => traffic.visits.filter((visit) => visit.durationMs !== undefined && hasWaited(visit));
  await eventually(() => waiting().length > 0, 'a handshake given up');
  const knownAt = Math.min(...waiting().map(endOf));
  const probes = () => waiting().filter(({ startedAt }) => startedAt > knownAt);
  await eventually(() => probes().length >= 2, 'two probes', 10_000);
  const restartedAt = performance.now();
  await straight.stop();
  await Promise.all([TWO, THREE, FOUR].map(fleet.restart));
  const backAt = performance.now();
  await served(traffic, [TWO, THREE], backAt);
  await fleet.join(FOUR);
  await traffic.more(PAST_SLOW_START);
  await traffic.stop();
  return {
    visits: traffic.visits,
    straight: straight.visits,
    waiting: waiting(),
    probes: probes(),
    meanwhile: begunBetween(traffic.visits, knownAt, restartedAt).filter((visit) => !hasWaited(visit)),
    afterwards: begunBetween(traffic.visits, backAt, Infinity),
  };
}

test('one killed, one stopped, restarted, a fourth by DNS: only who was on the dead ones sees it', async () => {
  const fleet = await startFleet({ handshakeMs: HANDSHAKE_MS });
  const { visits, straight, waiting, probes, meanwhile, afterwards } = await playOutage(fleet);

  // Nobody is refused; sessions end early only where they were on the dead.
  expect(fleet.gateway.log.filter(({ msg }) => msg === 'upgrade refused')).toEqual([]);
  const dead = [fleet.name(TWO), fleet.name(THREE)];
  expect(dead).toEqual(expect.arrayContaining([...placesOfFailures(fleet, visits)]));
  expect(placesOfFailures(fleet, afterwards)).toEqual(new Set());

  // Who has waited was at the stopped one: those of the first share of time, and then one after the other.
  expect(await fleet.dials(THREE, 'UPSTREAM_TIMEOUT')).toBe(waiting.length);
  const ends = probes.map(endOf);
  expect(probes.slice(1).filter(({ startedAt }, at) => startedAt < (ends[at] ?? Infinity))).toEqual([]);
  expect(probes.length).toBeLessThanOrEqual(3);
  expect(meanwhile.length).toBeGreaterThan(50);
  expect(slowest(meanwhile)).toBeLessThan(slowest(straight) + SLACK_MS);

  await eventually(() => fleet.gateway.gateway.connections === 0);
  expect(metric(await fleet.gateway.metrics(), 'sallyport_upstream_sessions')).toBe(0);
  await expectEven(fleet, [ONE, TWO, THREE, FOUR]);
});

test('where health is asked for, nobody waits for a stopped target once it is known', async () => {
  // A dial's third of the time is over long after two checks.
  const fleet = await startFleet({ handshakeMs: 9_000, health: '{ every: 500ms, within: 400ms, after: 2 }' });
  const traffic = fleet.traffic();
  const straight = fleet.straight();
  await traffic.more(50);
  fleet.stop(THREE);
  const labels = { target: fleet.name(THREE) };
  await eventually(
    async () => metric(await fleet.gateway.metrics(), 'sallyport_upstream_healthy', labels) === 0,
  );
  const knownAt = performance.now();
  await traffic.more(150);
  const restartedAt = performance.now();
  await straight.stop();
  const later = begunBetween(traffic.visits, knownAt, restartedAt);
  await fleet.restart(THREE);
  await served(traffic, [THREE], restartedAt);
  await traffic.stop();
  expect(later.length).toBeGreaterThan(50);
  expect(countByTarget(later)).not.toHaveProperty([THREE]);
  expect(slowest(later)).toBeLessThan(slowest(straight.visits) + SLACK_MS);
  expect(fleet.gateway.log.filter(({ msg }) => msg === 'upgrade refused')).toEqual([]);
});

test('three hundred sessions are spread evenly, and a fourth target that joins is filled first', async () => {
  const fleet = await startFleet({ handshakeMs: 10_000 });
  await expectEven(fleet, [ONE, TWO, THREE]);

  await fleet.restart(FOUR);
  await fleet.join(FOUR);
  // It begins with a tenth of its weight: nine sessions weigh less than the others' hundred.
  expect(countByTarget(await fleet.hold(9))).toEqual({ [FOUR]: 9 });
});
