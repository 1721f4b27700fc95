import { type FirstMessage, FirstMessages } from '../bridge/first-messages.ts';
import { GatewayError } from '../errors.ts';
import { CLOSE, PING, PONG } from '../frames/opcodes.ts';
import { frame } from '../frames/writer.ts';
import { type Form, missing, type Reading } from './forms/form.ts';
import type { WaitingClient } from './waiting-client.ts';

/** Of the message, over all of WebSocket's that it comes in. */
const MOST_BYTES = 16 * 1024;
/** Of all that a client sends until then, pings and headers of frames among it. */
const MOST_SENT = 4 * MOST_BYTES;
/** Of what comes in several messages all is read anew with each of them: in all so much. */
const MOST_READ = 64 * MOST_BYTES;

/** How much a client may say before it is let in. */
export interface ListeningLimits {
  /** Milliseconds until the message must be whole. */
  readonly withinMs: number;
  /** Largest message in bytes; Infinity for no bound but ours. */
  readonly messageSize: number;
  readonly fragments: number;
}

/** The first message of a client, and what is in it. */
export interface Heard extends FirstMessage {
  readonly reading: Reading;
}

/**
 * Waits for the first message of a client, and answers its pings meanwhile. Rejects with TOKEN_MISSING if none comes in time or it is
 * none of this form, with MESSAGE_TOO_BIG, PROTOCOL_ERROR, INVALID_PAYLOAD, or CLIENT_LOST for one that leaves or closes.
 */
export async function hear(client: WaitingClient, form: Form, limits: ListeningLimits): Promise<Heard> {
  let heard: Heard | undefined;
  let sent = 0;
  const gathered = new Gathered(form);
  const options = {
    masked: true,
    deflate: false,
    maxMessage: Math.min(MOST_BYTES, limits.messageSize),
    maxFragments: limits.fragments,
  };
  const messages = new FirstMessages(options, {
    message(message) {
      heard = gathered.add(message);
      return heard !== undefined;
    },
    control: (opcode, payload) => answer(client, opcode, payload),
  });
  function take(chunk: Buffer): Buffer | undefined {
    sent += chunk.length;
    const rest = messages.push(chunk);
    if (rest === undefined && sent > MOST_SENT)
      throw tooBig(`${sent} bytes, and no whole message among them`);
    return rest;
  }
  await client.listen(take, limits.withinMs, () =>
    missing(`did not come within ${limits.withinMs / 1000} s`),
  );
  return heard as Heard;
}

/** Throws CLIENT_LOST for a Close, which is answered (RFC 6455 §5.5.1). */
function answer(client: WaitingClient, opcode: number, payload: Buffer): void {
  if (opcode === PING) client.write(frame(PONG, payload));
  if (opcode !== CLOSE) return;
  client.part(frame(CLOSE, payload.subarray(0, 2)));
  throw new GatewayError('CLIENT_LOST', { detail: 'it closed before its first message' });
}

/** What came so far of a message that may go on in several of WebSocket's. */
class Gathered {
  readonly #form: Form;
  #first: FirstMessage | undefined;
  /** Bytes, those that were read again as often as they were. */
  #read = 0;

  constructor(form: Form) {
    this.#form = form;
  }

  /** Undefined if it goes on. */
  add({ data, binary }: FirstMessage): Heard | undefined {
    const { isBinary, isStream } = this.#form;
    if (isBinary !== undefined && isBinary !== binary)
      throw missing(`is ${binary ? 'binary' : 'text'}, where ${binary ? 'text' : 'binary'} is expected`);
    const before = this.#first;
    const all = before === undefined ? data : Buffer.concat([before.data, data]);
    if (all.length > MOST_BYTES) throw tooBig(`at least ${all.length} bytes in several messages`);
    this.#read += all.length;
    if (this.#read > MOST_READ) throw tooBig('it comes in too many messages', 'it comes in too many pieces');
    const whole = { data: all, binary: before?.binary ?? binary };
    this.#first = whole;
    const reading = this.#form.read(all);
    if (reading === undefined && !isStream) throw missing('is not whole');
    return reading && { ...whole, reading };
  }
}

function tooBig(detail: string, why = `at most ${MOST_BYTES} bytes`): GatewayError {
  const sentence = `The message is too big: ${why}.`;
  return new GatewayError('MESSAGE_TOO_BIG', { detail: `first message: ${detail}`, sentence });
}
