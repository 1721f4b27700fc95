import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { type RouteConfig, schema } from '../../src/config/schema.ts';
import type { Asking } from '../../src/upstream/balance/policy.ts';
import type { Connect } from '../../src/upstream/connect.ts';
import { createUpstreamContext, type UpstreamContext } from '../../src/upstream/context.ts';
import type { Addresses } from '../../src/upstream/names/lookup.ts';
import { Resolver } from '../../src/upstream/names/resolver.ts';

/** A pool's surroundings by hand: a clock, names, and sockets that are none. */

export const ASKING: Asking = {
  clientAddress: '10.9.9.9',
  origin: undefined,
  path: '/',
  headers: [],
  grant: { claims: {} },
};

/** The route `pool` with this `upstream`, as written in YAML. */
export function poolRoute(upstream: object, rest: object = {}): RouteConfig {
  const route = { name: 'pool', match: { path: '/*' }, auth: 'none', upstream, ...rest };
  return schema.parse({ listeners: [{ port: 0 }], routes: [route] }).routes[0] as RouteConfig;
}

/** What `connect` is to do at an address: `fine`, an error, or `silence` until it is given up. */
export type Behaviour = 'fine' | 'silence' | Error;

export interface Surroundings {
  readonly context: UpstreamContext;
  readonly clock: { ms: number };
  /** Addresses by `host:port`; what is not there is fine. */
  readonly behaviour: Map<string, Behaviour>;
  /** Addresses that were dialled, in order. */
  readonly dialled: string[];
  /** What `connect` gave. */
  readonly sockets: Socket[];
  /** What observers heard: `target outcome`, and `target forgotten`. */
  readonly heard: string[];
  /** Targets that went out of service, each with the cause, or came back. */
  readonly outages: string[];
  /** Addresses by name; an error for a name that has none. */
  readonly names: Map<string, readonly string[] | Error>;
}

export function surroundings(): Surroundings {
  const clock = { ms: 0 };
  const now = () => clock.ms;
  const behaviour = new Map<string, Behaviour>();
  const names = new Map<string, readonly string[] | Error>();
  const dialled: string[] = [];
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const outages: string[] = [];

  async function lookUp(name: string): Promise<Addresses> {
    const addresses = names.get(name) ?? new Error('silence');
    if (addresses instanceof Error) throw addresses;
    return { addresses, ttlMs: 1_000 };
  }
  const connect: Connect = function connect({ host, port }, signal) {
    dialled.push(`${host}:${port}`);
    const how = behaviour.get(`${host}:${port}`) ?? 'fine';
    if (how instanceof Error) return Promise.reject(how);
    if (how === 'fine') {
      const socket = fakeSocket();
      sockets.push(socket);
      return Promise.resolve(socket);
    }
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('given up')), { once: true });
    });
  };
  const observer = {
    dialled: ({ name }: { name: string }, outcome: string) => void heard.push(`${name} ${outcome}`),
    forgotten: ({ name }: { name: string }) => void heard.push(`${name} forgotten`),
    healthChanged: ({ name }: { name: string }, outage?: { readonly cause?: unknown }) =>
      void outages.push(`${name} ${outage === undefined ? 'back' : outage.cause}`),
  };
  const resolver = new Resolver({ now, lookups: { dns: lookUp, system: lookUp } });
  const context = createUpstreamContext({ now, connect, observer, resolver, random: () => 0.5 });
  return { context, clock, behaviour, dialled, sockets, heard, outages, names };
}

function fakeSocket(): Socket {
  const socket = Object.assign(new EventEmitter(), {
    destroyed: false,
    destroy() {
      socket.destroyed = true;
      process.nextTick(() => socket.emit('close'));
    },
  });
  return socket as unknown as Socket;
}
