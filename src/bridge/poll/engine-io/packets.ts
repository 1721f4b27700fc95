import type { Message } from '../profile.ts';
import { bytesIn, MOST_MESSAGES, malformed, text, textIn, wrongAnswer } from '../wire.ts';

/**
 * Packets of Engine.IO v4 (github.com/socketio/engine.io-protocol). Over WebSocket each is a message: a digit and data, or
 * bytes that stand for themselves. The body of a poll or a post holds many, with a separator between them.
 */

const SEPARATOR = '\x1e';
const SEPARATOR_BYTE = 0x1e;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const CLOSE = '1';

/** What a service may say in mid-session. */
export interface Payload {
  /** As the WebSocket transport carries them. */
  readonly messages: readonly Message[];
  /** The service closes the session. */
  readonly isLast: boolean;
}

/** Takes the body of a poll apart. Throws UPSTREAM_INVALID. */
export function packetsIn(body: Buffer): string[] {
  const packets = textIn(body).split(SEPARATOR, MOST_MESSAGES + 1);
  if (packets.length > MOST_MESSAGES) throw wrongAnswer(`an answer holds more than ${MOST_MESSAGES} packets`);
  return packets;
}

/** Reads what may come once a session is open. Throws UPSTREAM_INVALID. */
export function readPackets(packets: readonly string[]): Payload {
  const end = packets.indexOf(CLOSE);
  const before = end < 0 ? packets : packets.slice(0, end);
  return { messages: before.flatMap(readPacket), isLast: end >= 0 };
}

function readPacket(packet: string): Message[] {
  switch (packet[0]) {
    case '2':
    case '4':
      return [text(packet)];
    case '6': // noop: it ends a poll that nothing came for
      return [];
    case 'b':
      return [{ data: octetsOf(packet.slice(1)), binary: true }];
    default:
      throw wrongAnswer('an answer holds a packet that has no place there');
  }
}

function octetsOf(base64: string): Buffer {
  if (!BASE64.test(base64)) throw wrongAnswer('a binary packet is not base64');
  return Buffer.from(base64, 'base64');
}

/**
 * The body of a post with these messages. Throws INVALID_PAYLOAD for a text that is no packet of a client, or that
 * would be taken for several: with a separator in it a client could have said what it was not asked about.
 */
export function writePackets(messages: readonly Message[]): Buffer {
  const parts = messages.flatMap((message) => [Buffer.from(SEPARATOR), writePacket(message)]);
  return Buffer.concat(parts.slice(1));
}

function writePacket(message: Message): Buffer {
  const data = bytesIn(message);
  if (message.binary) return Buffer.from(`b${data.toString('base64')}`);
  if (!isOfClient(data)) throw malformed('The message is no packet of an Engine.IO client.');
  if (data.includes(SEPARATOR_BYTE)) throw malformed('An Engine.IO packet may not hold U+001E.');
  return data;
}

/** Bytes that a message adds to a post; Infinity for one that `writePackets` will not have. */
export function packetSize(message: Message): number {
  const data = bytesIn(message);
  if (message.binary) return 2 + 4 * Math.ceil(data.length / 3);
  return isOfClient(data) && !data.includes(SEPARATOR_BYTE) ? data.length + 1 : Infinity;
}

/** A close, a pong or a message. */
function isOfClient(packet: Buffer): boolean {
  return packet[0] === 0x31 || packet[0] === 0x33 || packet[0] === 0x34;
}
