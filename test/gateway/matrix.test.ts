import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BRIDGES,
  beginning,
  type Cell,
  FAULTS,
  failWire,
  MOMENTS,
  type Outcome,
  type Service,
  SIDES,
  startService,
} from '../support/cells.ts';
import { backTo, census, eventually, metric, quietCensus } from '../support/census.ts';
import { deadPort } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Hole, type Relay, startHole, startRelay } from '../support/processes.ts';
import { dial, handshake, type Wire } from '../support/raw.ts';

/**
 * Each peer fails in each way at each moment on each bridge: the process lives, the other peer is told what the wire lets it be
 * told, and nothing stays open.
 */

/** Cells that mean nothing, and why. The first rule that fits counts. */
const LEFT_OUT: readonly [why: string, fits: (cell: Cell) => boolean][] = [
  [
    'a head that never ends is refused before its bridge is known: REQUEST_TIMEOUT in failures.test.ts',
    ({ side, fault, moment }) =>
      moment === 'before dial' && side === 'client' && (fault === 'silence' || fault === 'half-open'),
  ],
  [
    'nobody has connected: an upstream can only be there or not',
    ({ side, fault, moment }) => moment === 'before dial' && side === 'upstream' && fault !== 'kill -9',
  ],
  [
    'an upstream that has not answered a SYN can only be silent, or refuse as before the dial',
    ({ side, fault, moment }) => moment === 'dialling' && side === 'upstream' && fault !== 'silence',
  ],
  [
    'a TCP service says nothing before the 101: it follows the dial at once',
    ({ bridge, moment }) => bridge === 'tcp' && moment === 'before 101',
  ],
  [
    'a byte stream has no frames and no messages',
    ({ bridge, side, moment }) => bridge === 'tcp' && side === 'upstream' && moment.startsWith('mid-'),
  ],
  [
    'an answer has no fragments: it can only be cut, as in mid-frame',
    ({ bridge, side, moment }) => bridge === 'poll' && side === 'upstream' && moment === 'mid-message',
  ],
];

const ALL: readonly Cell[] = BRIDGES.flatMap((bridge) =>
  SIDES.flatMap((side) =>
    MOMENTS.flatMap((moment) => FAULTS.map((fault): Cell => ({ bridge, side, moment, fault }))),
  ),
);
const CELLS = ALL.filter((cell) => !LEFT_OUT.some(([, fits]) => fits(cell)));

/** What the healthy peer must see. */
function expected({ bridge, side, fault, moment }: Cell): Outcome {
  const isQuiet = fault === 'silence' || fault === 'half-open';
  if (side === 'client') {
    if (moment === 'before dial' || moment === 'dialling') return 'nothing';
    if (moment === 'before 101') return 'end';
    if (bridge !== 'websocket') return bridge === 'tcp' ? 'end' : 'goodbye';
    // Nothing may be said inside a frame that will never be finished.
    if (moment === 'mid-frame') return 'end';
    return moment === 'closing' ? 1000 : 1001;
  }
  if (moment === 'before dial') return 502;
  if (moment === 'dialling') return 504;
  if (moment === 'before 101') return isQuiet ? 504 : 502;
  if (moment === 'closing') return 1000;
  // A service that says nothing may have nothing to say: the route's idle limit ends it.
  if (bridge !== 'websocket' && isQuiet) return 1001;
  if (bridge === 'poll') return 1013;
  if (bridge === 'tcp') return fault === 'RST' ? 1014 : 1000;
  return moment === 'mid-frame' ? 'end' : 1014;
}

interface Stage {
  readonly route: string;
  readonly service: Service;
  /** Where the gateway dials. */
  readonly target: number;
  /** Stands between the two where the service is to be killed. */
  readonly relay: Relay | undefined;
}

const stages = new Map<Cell, Stage>();
const relays: Relay[] = [];
let gateway: TestGateway;
let hole: Hole;
let before: Record<string, number>;
/** Connections that hang in the hole, the gateway's aside. */
let fillers: number;
const dialling = () => census().ConnectWrap ?? 0;

beforeAll(async () => {
  before = await quietCensus();
  hole = await startHole();
  fillers = dialling();
  const made = await Promise.all(CELLS.map((cell, index) => stageFor(cell, `r${index}`)));
  for (const [index, cell] of CELLS.entries()) stages.set(cell, made[index] as Stage);
  gateway = await startGateway(['routes:', ...CELLS.map(routeFor)].join('\n'));
});

afterAll(stop);

/** Ends what stands around the gateway; again is a no-op. */
async function stop(): Promise<void> {
  hole[Symbol.dispose]();
  for (const relay of relays.splice(0)) relay.kill();
  for (const { service } of stages.values()) await service.upstream.close();
}

async function stageFor(cell: Cell, route: string): Promise<Stage> {
  const service = await startService(cell);
  const at = (target: number, relay?: Relay) => ({ route, service, target, relay });
  if (cell.moment === 'dialling') return at(hole.port);
  if (cell.side === 'client' || cell.fault !== 'kill -9') return at(service.upstream.port);
  if (cell.moment === 'before dial') return at(await deadPort());
  const relay = await relayTo(service.upstream.port);
  return at(relay.port, relay);
}

async function relayTo(target: number): Promise<Relay> {
  const relay = await startRelay(target);
  relays.push(relay);
  return relay;
}

function routeFor(cell: Cell): string {
  const { route, target } = stages.get(cell) as Stage;
  const address = `127.0.0.1:${target}`;
  const paths =
    'open: { path: /open }, poll: { path: /poll, hold: 300ms, margin: 100ms }, close: { path: /close }';
  const upstream = {
    websocket: `websocket: "ws://${address}"`,
    tcp: `tcp: "${address}"`,
    poll: `poll: { target: "http://${address}", ${paths}, outage: 300ms }`,
  }[cell.bridge];
  const idle = cell.bridge === 'websocket' ? '' : ', idle: 800ms';
  const timeouts = `{ handshake: 2s, stall: 300ms, close: 400ms${idle} }`;
  const rest = `timeouts: ${timeouts}, keepalive: { every: 200ms, within: 1s }, upstream: { ${upstream} }`;
  return `  - { name: ${route}, match: { path: /${route} }, auth: none, ${rest} }`;
}

/** Brings the connection to the cell's moment. */
async function arrive(
  { bridge, side, moment }: Cell,
  client: Wire,
  { service, route }: Stage,
): Promise<void> {
  const bytes = handshake(`/${route}`);
  const half = moment === 'before dial' && side === 'client';
  client.write(half ? bytes.slice(0, 40) : bytes);
  if (moment === 'before dial') return;
  if (moment === 'dialling') {
    // In the callback of our own connect, that one still counts.
    await new Promise(setImmediate);
    return eventually(() => dialling() > fillers);
  }
  await service.asked();
  if (moment === 'before 101') return;
  expect((await client.answer()).status).toBe(101);
  if (moment === 'closing') return close(side, client, service);
  if (moment === 'idle') return;
  const healthy = side === 'client' ? (service.upstream.wires[0] as Wire) : client;
  const { received } = healthy;
  if (side === 'upstream') service.stop(moment);
  else client.write(beginning(moment, true));
  // A poll bridge passes on whole messages only.
  if (bridge !== 'poll') await healthy.until(() => healthy.received > received, 'half a message');
}

/** The healthy side closes; the other one has heard of it. */
async function close(side: Cell['side'], client: Wire, service: Service): Promise<void> {
  if (side === 'upstream') {
    client.sendClose(1000);
    await service.closing();
    return;
  }
  client.polite = false;
  service.close();
  await client.until(() => client.close !== undefined, 'a Close');
}

async function outcomeOf({ side }: Cell, client: Wire, service: Service): Promise<Outcome> {
  if (side === 'client') return service.ended();
  const { status } = await client.answer();
  const end = await client.ended();
  return status === 101 ? (end?.code ?? 'end') : status;
}

/** Plays one cell to its end; whatever is open then is the gateway's fault. */
async function play(cell: Cell): Promise<Outcome> {
  const { side, fault, moment } = cell;
  const stage = stages.get(cell) as Stage;
  const { service, route } = stage;
  // A pool gives up a dial that nobody waits for any more only at its own deadline.
  if (moment === 'dialling') await eventually(() => dialling() <= fillers);
  const ownRelay = side === 'client' && fault === 'kill -9' ? await relayTo(gateway.port) : undefined;
  const relay = ownRelay ?? stage.relay;
  using client = await dial(ownRelay?.port ?? gateway.port);
  await arrive(cell, client, stage);
  if (relay !== undefined) relay.kill();
  else if (side === 'client') failWire(client, fault);
  else if (moment !== 'before dial' && moment !== 'dialling') service.fail(fault);

  const outcome = await outcomeOf(cell, client, service);
  if (moment !== 'before dial') await gateway.logged((line) => line.route === route && isEnd(line));
  // A peer that reads nothing finds out late, but it does.
  for (const wire of [client, ...service.upstream.wires]) wire.socket.resume();
  await client.ended();
  if (cell.bridge !== 'poll') for (const wire of service.upstream.wires) await wire.ended();
  return outcome;
}

function isEnd({ msg }: Record<string, unknown>): boolean {
  return msg === 'session ended' || msg === 'upgrade refused';
}

const sockets = ({ TCPSocketWrap = 0 }: Record<string, number>) => TCPSocketWrap;

/** Services that are broken keep their ends open. */
function openInServices(): number {
  return [...stages.values()].reduce((sum, { service }) => sum + service.upstream.open, 0);
}

const name = (cell: Cell) => `${cell.bridge}: ${cell.side} ${cell.fault} ${cell.moment} → ${expected(cell)}`;

const named = (cells: readonly Cell[]) => cells.map((cell) => [name(cell), cell] as const);

// One at a time: whose dial is hanging cannot be told.
describe('while the gateway dials, a peer fails', () => {
  test.each(named(CELLS.filter(({ moment }) => moment === 'dialling')))('%s', async (_name, cell) => {
    expect(await play(cell)).toBe(expected(cell));
  });
});

describe.concurrent('a peer fails', () => {
  test.each(named(CELLS.filter(({ moment }) => moment !== 'dialling')))('%s', async (_name, cell) => {
    expect(await play(cell)).toBe(expected(cell));
  });
});

test('every rule for leaving cells out fits some, and the others have been played', () => {
  for (const [, fits] of LEFT_OUT) expect(ALL.some(fits)).toBe(true);
  expect(stages.size).toBe(CELLS.length);
});

test('afterwards the counts balance, and nothing is open', async () => {
  expect(gateway.gateway.connections).toBe(0);
  const text = await gateway.metrics();
  const opened = metric(text, 'sallyport_upgrades_total', { outcome: 'accepted' });
  expect(opened).toBeGreaterThan(0);
  expect(metric(text, 'sallyport_sessions_ended_total')).toBe(opened);
  expect(metric(text, 'sallyport_sessions_open')).toBe(0);
  await gateway.close();
  hole[Symbol.dispose]();
  await eventually(
    () => sockets(census()) - openInServices() <= sockets(before),
    () => JSON.stringify(census()),
  );
  await stop();
  await backTo(before);
});
