import { LineReader, tooLarge } from './lines.ts';

/** What a server sent: an event of an event stream. */
export interface ServerSentEvent {
  /** `message` where the stream does not say. */
  readonly event: string;
  /** The last id that the stream has said, with this event or before it. */
  readonly id: string | undefined;
  /** Undefined where only the id has moved. */
  readonly data: string | undefined;
}

const MARK = '\ufeff';

/** Reads an event stream while it comes (WHATWG HTML §9.2.6). An event that the stream ends amid is dropped, as the standard has it. */
export class EventStreamParser {
  readonly #lines: LineReader;
  readonly #limit: number;
  /** Milliseconds after which the service wants to be asked anew; undefined until it says so. */
  retryMs: number | undefined;
  #isFirst = true;
  #type = '';
  #id: string | undefined;
  #data: string[] = [];
  #size = 0;
  #hasMoved = false;

  /** `limit` is the bytes of the largest event. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#lines = new LineReader({ limit, loneCr: true });
  }

  /** The events that a piece completes. Throws UPSTREAM_INVALID: an event too large, or not UTF-8. */
  push(piece: Buffer): ServerSentEvent[] {
    return this.#lines.push(piece).flatMap((line) => this.#line(line) ?? []);
  }

  #line(text: string): ServerSentEvent | undefined {
    const line = this.#isFirst && text.startsWith(MARK) ? text.slice(1) : text;
    this.#isFirst = false;
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    // A colon in front makes a comment, which is how services show that they live.
    if (colon === 0) return undefined;
    const name = colon < 0 ? line : line.slice(0, colon);
    this.#field(name, colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, ''));
    return undefined;
  }

  #field(name: string, value: string): void {
    if (name === 'event') this.#type = value;
    else if (name === 'data') this.#addData(value);
    else if (name === 'id' && !value.includes('\0')) {
      this.#hasMoved ||= value !== this.#id;
      this.#id = value;
    } else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
  }

  #addData(line: string): void {
    this.#size += Buffer.byteLength(line) + 1;
    if (this.#size > this.#limit) throw tooLarge();
    this.#data.push(line);
  }

  #dispatch(): ServerSentEvent | undefined {
    const data = this.#data.length > 0 ? this.#data.join('\n') : undefined;
    const event = { event: this.#type || 'message', id: this.#id, data };
    const counts = data !== undefined || this.#hasMoved;
    this.#type = '';
    this.#data = [];
    this.#size = 0;
    this.#hasMoved = false;
    return counts ? event : undefined;
  }
}
