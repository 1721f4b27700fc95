import { z } from 'zod';
import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL } from '../../tcp-protocol/types.ts';
import { size } from '../fields.ts';

/** How messages of clients become the bytes of a TCP service, and the other way round. */

/** Of one line, its end not counted, unless the configuration says otherwise. */
export const MAX_LINE_BYTES = 16 * 1024;

/** The keys of an upstream that are about it. */
export const framingFields = {
  protocols: z
    .union(
      [z.literal('any'), z.array(z.string().min(1)).min(1)],
      'expected any, or a list of subprotocols such as [mqtt]',
    )
    .optional()
    .describe(
      'tcp: subprotocols that are accepted besides `binary`; any: the first that is offered and is no credential; absent: none, and a browser that offers others is refused',
    ),
  text: z
    .boolean()
    .optional()
    .describe('tcp: text messages are accepted too, as their UTF-8 bytes; absent: they are 1003'),
  frames: z
    .enum(['lines', 'text', 'amqp'], 'expected lines, text or amqp')
    .optional()
    .describe(
      'tcp: what a message is. lines: one line without its end, both ways (IRCv3); text: what the service sends goes as text, cut between characters; amqp: as bytes, but never cut within the head of an AMQP 0-9-1 frame; absent: bytes as they come, in binary messages',
    ),
  lineSize: size
    .optional()
    .describe('tcp with frames: lines: most bytes of one line, without its end; absent: 16KiB'),
};

/** The keys as far as the rules go. */
export interface FramingShape {
  readonly protocols?: 'any' | readonly string[] | undefined;
  readonly text?: boolean | undefined;
  readonly frames?: 'lines' | 'text' | 'amqp' | undefined;
  readonly lineSize?: number | undefined;
}

/** Of a protocol that is spoken, not only named. */
const OURS: readonly string[] = [TCP_PROTOCOL, TCP_RESUME_PROTOCOL];

/** A key that another one makes needless is refused, and a name that would promise what is not done. */
export function framingRules(
  { protocols = [], text, frames, lineSize }: FramingShape,
  complain: (path: PropertyKey[], message: string) => void,
): void {
  if (protocols !== 'any' && protocols.some((name) => OURS.includes(name)))
    complain(
      ['protocols'],
      `cannot name ${TCP_PROTOCOL}, which is spoken by itself unless tcpProtocol: off says otherwise`,
    );
  if (text !== undefined && (frames === 'lines' || frames === 'text'))
    complain(['text'], `has no effect with frames: ${frames}, which takes text messages anyway`);
  if (lineSize !== undefined && frames !== 'lines')
    complain(['lineSize'], 'has no effect without frames: lines');
}
