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

const burst = z
  .int()
  .min(1)
  .optional()
  .describe('How many may come at once; absent: as many as in one unit of time of the rate');
const over = z
  .enum(['throttle', 'close'])
  .default('throttle')
  .describe('Beyond it: pause reading, or close with 1008');

/** More than any sender cuts a message into; each costs us a header to read. */
export const DEFAULT_FRAGMENTS = 16_384;

const upgrades = z.strictObject({
  rate: rate.describe('How many per time, like 20/s, 600/m or 1000/h'),
  burst,
  per: countedPer,
});
const connections = z.strictObject({ max: z.int().min(1).describe('How many'), per: countedPer });
const messages = z.strictObject({
  rate: rate.describe('How many per time, like 50/s, 600/m or 1000/h'),
  burst,
  per: meteredPer,
  over,
});
const bytes = z.strictObject({
  rate: byteRate.describe('How many per time, like 64KiB/s or 1MiB/s'),
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
    .describe('Upgrades and plain requests accepted per time, one limit or a list; beyond it 429'),
  connections: limitList(connections, isStricterMax)
    .optional()
    .describe('Open WebSockets at a time, one limit or a list; beyond it 429'),
  messages: limitList(messages, isStricterRate)
    .optional()
    .describe('Messages and control frames from the client per time, one limit or a list'),
  bytes: limitList(bytes, isStricterByteRate)
    .optional()
    .describe('Bytes from the client per time, one limit or a list'),
  messageSize: size
    .optional()
    .describe('Largest message from the client, as on the wire: compressed, unless compression is off'),
  fragments: z
    .int()
    .min(1)
    .default(DEFAULT_FRAGMENTS)
    .describe('Fragments one message from the client may have; beyond it 1009'),
  requests: requestLimits.describe(
    'Plain requests under way at a time, one limit or a list; what is not said stays 1024 of the route together, 128 of one client address',
  ),
  uploads: z
    .union([z.literal('off'), uploads], 'expected off, or a mapping with min and per')
    .prefault({})
    .describe(
      'How slow the body of a plain request may come before its answer begins; slower, and it is 408',
    ),
});

/** Of a route: how long its requests and WebSockets may take. */
export const timeouts = z.strictObject({
  handshake: duration
    .prefault('10s')
    .describe('From the upgrade request to the 101; of a plain request: for a connection to the upstream'),
  response: duration
    .prefault('60s')
    .describe('Of a plain request: from its last byte to the head of the answer'),
  idle: durationOrOff
    .optional()
    .describe(
      'Without a message either way; absent: for ever. Of a plain request: without a byte either way; absent: 60s',
    ),
  stall: duration.prefault('30s').describe('A peer may leave our writes unread for this long'),
  lifetime: optionalDuration.optional().describe('Of one connection'),
  close: duration.prefault('5s').describe("For a peer's answer to our Close"),
});

/** How a silent peer is told from a dead one. */
export const keepalive = z.strictObject({
  every: duration.prefault('30s').describe('How often each WebSocket peer is pinged'),
  within: duration.prefault('10s').describe('Its pong must come in this time'),
});

/** Of the whole process. */
export const processLimits = z.strictObject({
  connections: z
    .union([z.literal('auto'), z.int().min(1)], 'expected auto, or a whole number of them')
    .default('auto')
    .describe(
      'Requests and WebSockets at a time, over all listeners; beyond it 503. auto: as many as fit into the limit of open files',
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
