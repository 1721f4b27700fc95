import type { UpstreamConfig } from '../../../config/schema.ts';
import { MAX_LINE_BYTES } from '../../../config/tcp/frames.ts';
import { BINARY, TEXT } from '../../../frames/opcodes.ts';
import { Amqp } from './amqp.ts';
import { Bytes } from './bytes.ts';
import type { Framing } from './contract.ts';
import { Lines } from './lines.ts';
import { Text } from './text.ts';

/** Subprotocols in which a message is a line of bytes; in all others, and where there is none, it is text. */
const OF_BYTES: ReadonlySet<string | undefined> = new Set(['binary', 'binary.ircv3.net']);

/** Compiles what a message is on connections to this upstream; each gets its own, by the subprotocol its 101 names. */
export function framingFor(upstream: UpstreamConfig): (protocol: string | undefined) => Framing {
  const { frames, text = false, lineSize = MAX_LINE_BYTES } = upstream;
  return function createFraming(protocol) {
    switch (frames) {
      case 'lines':
        return new Lines(lineSize, OF_BYTES.has(protocol) ? BINARY : TEXT);
      case 'text':
        return new Text();
      case 'amqp':
        return new Amqp(text);
      default:
        return new Bytes(text);
    }
  };
}
