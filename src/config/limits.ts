import { z } from 'zod';
import { DEFAULT_IPV6_PREFIX } from '../http/address.ts';
import { byteRate, duration, durationOrOff, optionalDuration, rate, size } from './fields.ts';
import {
  countedPer,
  isStricterByteRate,
  isStricterMax,
  isStricterRate,
  limitList,
  meteredPer,
} from './limit-lists.ts';
import { requestLimits } from './request-limits.ts';

/** The configuration of bounds: what there may be of what, and how long things may take. */

const burst = z.int().min(1).optional().describe('So many at once; absent: as many as the rate says');
const often = rate.describe('How many in how much time, like 20/s or 600/m');
const over = z
  .enum(['throttle', 'close'])
  .default('throttle')
  .describe('Beyond it: the client is not read for a while, or closed with 1008');

/** More than any sender cuts a message into; each costs us a header to read. */
export const DEFAULT_FRAGMENTS = 16_384;

const upgrades = z.strictObject({
  rate: often,
  burst,
  per: countedPer,
});
const connections = z.strictObject({ max: z.int().min(1).describe('So many at a time'), per: countedPer });
const messages = z.strictObject({
  rate: often,
  burst,
  per: meteredPer,
  over,
});
const bytes = z.strictObject({
  rate: byteRate.describe('How much in how much time, like 64KiB/s'),
  per: meteredPer,
  over,
});

const uploads = z.strictObject({
  min: size.prefault('1KiB').describe('At least so much'),
  per: duration.prefault('10s').describe('In each such time'),
});

/** Of a route: how much its clients may send and hold open. */
export const limits = z.strictObject({
  upgrades: limitList(upgrades, isStricterRate)
    .optional()
    .describe(
      'Handshakes and plain requests in a time, one limit or a list; beyond it 429 with Retry-After, RateLimit and RateLimit-Policy; absent: no limit',
    ),
  connections: limitList(connections, isStricterMax)
    .optional()
    .describe(
      'Open WebSockets, and TCP connections that wait for a client to resume them, one limit or a list; beyond it 429; absent: no limit',
    ),
  messages: limitList(messages, isStricterRate)
    .optional()
    .describe(
      'Messages of the client in a time, one limit or a list; pings, pongs and fragments below 1 KiB count like messages; absent: no limit',
    ),
  bytes: limitList(bytes, isStricterByteRate)
    .optional()
    .describe('Bytes of the client in a time, one limit or a list; absent: no limit'),
  messageSize: size
    .optional()
    .describe(
      'Largest message of the client, over all fragments and as on the wire: compressed, unless compression is off; beyond it 1009, judged from the header; absent: no limit',
    ),
  fragments: z
    .int()
    .min(1)
    .default(DEFAULT_FRAGMENTS)
    .describe('Fragments that one message of the client may have; beyond it 1009'),
  requests: requestLimits.describe(
    'Plain requests under way at a time, one limit or a list; what none of them says stays: 1024 of all clients together, 128 of one client address',
  ),
  uploads: z
    .union([z.literal('off'), uploads], 'expected off, or a mapping with min and per')
    .prefault({})
    .describe(
      'How slow the body of a plain request may come before its answer begins; slower is 408. off: as slow as it likes',
    ),
});

/** Apart for each side of a WebSocket. */
const idlePerSide = z
  .strictObject({
    client: durationOrOff
      .optional()
      .describe('How long nothing may come from the client of a WebSocket; absent: off'),
    upstream: durationOrOff
      .optional()
      .describe('How long nothing may come from the service behind a WebSocket; absent: off'),
  })
  .refine(({ client, upstream }) => client !== undefined || upstream !== undefined, {
    error: 'expected client, upstream or both',
  });

/** Of a route: how long its requests and WebSockets may take. */
export const timeouts = z.strictObject({
  handshake: duration
    .prefault('10s')
    .describe(
      'From the upgrade request to the 101; of a plain request: until there is a connection to the upstream; beyond it 504',
    ),
  response: duration
    .prefault('60s')
    .describe('Of a plain request: from its last byte to the head of its answer; beyond it 504'),
  idle: z
    .union([durationOrOff, idlePerSide])
    .optional()
    .describe(
      'How long nothing may pass either way, or of WebSockets how long nothing may come from each side. A WebSocket is closed with 1001; a plain request is 408 before its answer, and cut within it: silent streams of events want more, or off; absent: off, and 60s for plain requests, which a mapping leaves so',
    ),
  stall: duration
    .prefault('30s')
    .describe('How long a peer may leave what is written to it unread; beyond it 1013'),
  lifetime: optionalDuration.optional().describe('Longest life of a WebSocket; beyond it 1001; absent: off'),
  close: duration
    .prefault('5s')
    .describe(
      'The whole end of a WebSocket, from the first word of it to both sockets gone; what is left is destroyed',
    ),
});

/** A vanished client does not stay for ever: where the service speaks on, what nobody takes is a stall. */
export function hasIdleLimit(idle: z.output<typeof timeouts>['idle'] = Infinity): boolean {
  const limits = typeof idle === 'number' ? [idle] : [idle.client, idle.upstream];
  return limits.some((limit = Infinity) => limit < Infinity);
}

/** How a silent peer is told from a dead one. */
export const keepalive = z.strictObject({
  every: duration.prefault('30s').describe('How often each peer of a WebSocket is pinged'),
  within: duration
    .prefault('10s')
    .describe(
      'So long it may neither answer nor send or take anything; beyond it 1001, or 1014 for an upstream',
    ),
});

/** Of the whole process. */
export const processLimits = z.strictObject({
  connections: z
    .union([z.literal('auto'), z.int().min(1)], 'expected auto, or a whole number of them')
    .default('auto')
    .describe(
      'Requests and open WebSockets at a time, over all listeners; beyond it an idle connection gives way, else 503. auto: as many as fit into the limit of open files less 64, each with one for its client, and one for each request that it may have under way (a poll, and `concurrency` of `send` or `post`) or for its other upstream',
    ),
  ipv6Prefix: z
    .int()
    .min(32)
    .max(128)
    .default(DEFAULT_IPV6_PREFIX)
    .describe(
      'Leading bits of an IPv6 address that make one client for limits per address: a subscriber holds a /64 at least, many a /56 or /48',
    ),
});
