import type { EchoJob } from '../load/load.ts';
import type { Case, Kind, Target } from '../types.ts';
import { echoed } from './echo.ts';

/** WebSocket in front of HTTP services: a message to the service is a request, or a part of one, and a message from it a response. */

type Shape = Pick<EchoJob, 'connections' | 'inFlight'>;

const ONE: Shape = { connections: 1, inFlight: 1 };
const MANY: Shape = { connections: 64, inFlight: 1 };
/** Pushpin 1.36 brings a client some 128 messages of an answer, and drops the others: these come back whole. */
const SEVERAL: Shape = { connections: 1, inFlight: 100 };
const BURST: Shape = { connections: 1, inFlight: 10_000 };

export const pollCases: Case[] = [
  pollCase('poll-1', '1 connection', ONE, []),
  pollCase('poll-64', '64 connections', MANY, [rate('Pushpin', 4)]),
  eventsCase('woh-64', '64 connections, 64 B, 1 in flight, a message per request', MANY, [
    rate('Pushpin', 4),
    cpu('Pushpin', 1 / 4),
  ]),
  eventsCase('woh-100', '1 connection, 64 B, 100 in flight, many to a request', SEVERAL, []),
  eventsCase('woh-burst', '1 connection, 64 B, 10,000 in flight, many to a request', BURST, [
    // It loses most of these: what it carries whole stands in.
    { ...rate('Pushpin', 1), inCase: 'woh-100' },
  ]),
  postCase('post-1', '1 connection', ONE),
  postCase('post-64', '64 connections', MANY),
];

function rate(against: string, atLeast: number): Target {
  return { metric: 'rate', against, atLeast };
}

function cpu(against: string, atMost: number): Target {
  return { metric: 'cpuUs', against, atMost };
}

/** Each in front of a service of the kind it knows. */
function pollCase(name: string, title: string, shape: Shape, targets: Target[]): Case {
  return {
    ...overHttp('poll', shape),
    name,
    title: `${title}, 64 B, 1 in flight, a message per request`,
    peers: ['Pushpin', 'Sallyport'],
    targets,
  };
}

/** WebSocket-over-HTTP, with the same service behind both. */
function eventsCase(name: string, title: string, shape: Shape, targets: Target[]): Case {
  return {
    ...overHttp('websocket-over-http', shape),
    name,
    title: `WebSocket-over-HTTP: ${title}`,
    peers: ['Pushpin', 'Sallyport'],
    targets,
  };
}

/** A POST each, whose answer is the reply: beside the least that can be written for it. */
function postCase(name: string, title: string, shape: Shape): Case {
  return {
    ...overHttp('post', shape),
    name,
    title: `request and reply: ${title}, 64 B, 1 in flight`,
    peers: ['ws+fetch', 'Sallyport'],
    targets: [cpu('ws+fetch', 0.7)],
  };
}

function overHttp(kind: Kind, shape: Shape): Omit<Case, 'name' | 'title' | 'peers' | 'targets'> {
  return {
    ...echoed(kind, { ...shape, size: 64 }, false),
    group: 'WebSocket to HTTP',
    metrics: ['rate', 'cpuUs', 'p50Us', 'p99Us', 'busy'],
  };
}
