import { z } from 'zod';
import { duration } from '../fields.ts';

/** What is spoken with clients of TCP services that know more than WebSockets: sallyport.tcp.v1 (config/TCP-PROTOCOL.md), connect-tcp. */

const MAX_WAITING = 1_000;

const resume = z.strictObject({
  for: duration
    .prefault('60s')
    .describe('How long the service is kept for a client whose WebSocket was lost; then it gets a reset'),
  max: z
    .int()
    .min(1)
    .default(MAX_WAITING)
    .describe(
      'So many connections of the route may wait at a time, each with up to 256 KiB of what was not acknowledged; beyond it, or where those of all routes have an eighth of the open files that the system allows, a lost client ends its connection',
    ),
});

/** The keys of an upstream that are about it. */
export const tcpProtocolFields = {
  tcpProtocol: z
    .literal('off', 'expected off')
    .optional()
    .describe(
      'tcp: sallyport.tcp.v1 is not spoken; absent: it is, with clients that offer it, such as ours: they see why a service is not reached, say when they have finished sending, are sent no more than they read, and show new tokens as theirs expire',
    ),
  connectTcp: z
    .literal(true, 'expected true')
    .optional()
    .describe(
      'tcp: IETF connect-tcp is spoken, too, with clients that ask for it, over HTTP/1.1: `Upgrade: connect-tcp-12`, or one of its predecessors, `connect-tcp-08` and `connect-tcp-07`; absent: they get 426',
    ),
  resume: z
    .union([duration.transform((ms) => ({ for: ms, max: MAX_WAITING })), resume])
    .optional()
    .describe(
      'tcp: a client that speaks sallyport.tcp.v1 and lost its WebSocket may go on with the same connection for so long; with auth: none whoever knows its id may; absent: the connection ends with its WebSocket',
    ),
};

/** The keys as far as the rules go. */
export interface TcpProtocolShape {
  readonly tcpProtocol?: 'off' | undefined;
  readonly connectTcp?: true | undefined;
  readonly frames?: 'lines' | 'text' | 'amqp' | undefined;
  readonly resume?: z.output<typeof resume> | undefined;
}

/** Nothing is resumed that is not spoken, and where messages are lines nobody comes with bytes that are none. */
export function tcpProtocolRules(
  { tcpProtocol, resume, connectTcp, frames }: TcpProtocolShape,
  complain: (path: PropertyKey[], message: string) => void,
): void {
  if (tcpProtocol === 'off' && resume !== undefined)
    complain(['resume'], 'has no effect with tcpProtocol: off, for only sallyport.tcp.v1 can resume');
  if (connectTcp && frames === 'lines')
    complain(['connectTcp'], 'does not go with frames: lines: connect-tcp carries bytes, and knows no lines');
}
