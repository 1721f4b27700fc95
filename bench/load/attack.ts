import { connect } from 'node:net';
import type { Endpoint } from '../types.ts';
import { upgradeRequest } from './connection.ts';

/** The load process of an attacker: shakes hands with tokens that are no good, at a steady pace and whatever the answer. */

/** What it is told first. */
export interface AttackOrder {
  endpoint: Endpoint;
  /** Used in turn. */
  tokens: readonly string[];
  /** Whom it pretends to be, in turn: loopback addresses. */
  addresses: readonly string[];
  perSecond: number;
}

/** What it answers once it has begun, and to each message after that. */
export interface AttackCount {
  /** Seconds since it began. */
  seconds: number;
  /** How many were answered, by status. */
  answered: Record<string, number>;
}

const TICK_MS = 5;
/** What a starved core has kept it from is left out: a burst would fill the kernel's queue, and be measured instead. */
const MOST_PER_TICK = 40;
/** More unanswered than this, and it waits: descriptors are no part of the attack. */
const MOST_OPEN = 4_000;

process.once('message', (order: AttackOrder) => begin(order));
process.once('disconnect', () => process.exit());

function begin({ endpoint, tokens, addresses, perSecond }: AttackOrder): void {
  const requests = tokens.map((token) => upgradeRequest(endpoint, token));
  const startedAt = performance.now();
  const answered: AttackCount['answered'] = {};
  let [begun, open] = [0, 0];

  function attack(at: number): void {
    const localAddress = addresses[at % addresses.length] as string;
    const socket = connect({ host: '127.0.0.1', port: endpoint.port, localAddress, noDelay: true });
    open += 1;
    socket
      .on('error', () => undefined)
      .on('close', () => {
        open -= 1;
      });
    socket.once('data', (bytes) => {
      const status = bytes.toString('latin1', 9, 12);
      answered[status] = (answered[status] ?? 0) + 1;
    });
    socket.write(requests[at % requests.length] as string, 'latin1');
  }

  setInterval(function onTick() {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    begun = Math.max(begun, due - MOST_PER_TICK);
    for (; begun < due; begun += 1) if (open < MOST_OPEN) attack(begun);
  }, TICK_MS);
  function count(): void {
    const seconds = (performance.now() - startedAt) / 1000;
    process.send?.({ seconds, answered } satisfies AttackCount);
  }
  process.on('message', count);
  count();
}
