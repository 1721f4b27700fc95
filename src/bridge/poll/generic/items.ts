import type { GenericConfig } from '../../../config/poll/index.ts';
import { compilePointer, parseJson, textOf } from '../json.ts';
import type { Message } from '../profile.ts';
import { EventStreamParser, type ServerSentEvent } from './event-stream.ts';
import { invalid } from './invalid.ts';
import { LineReader } from './lines.ts';

export type Framing = GenericConfig['messages'];

/** One item of an answer, or one event of a stream. */
export interface Item {
  /** Undefined where it has none for the client. */
  readonly message: Message | undefined;
  /** What stands in it, as JSON; undefined where it is none. */
  readonly value: unknown;
  /** The last id that an event stream has said. */
  readonly id?: string | undefined;
}

/** Takes a body apart into items, while it comes. */
export interface ItemReader {
  /** The items that a piece of the body completes. Throws UPSTREAM_INVALID. */
  push(piece: Buffer): Item[];
  /** Those that its end completes. Throws UPSTREAM_INVALID. */
  end(): Item[];
  /** Milliseconds after which the service wants to be asked anew; undefined if it has not said. */
  readonly retryMs: number | undefined;
}

/**
 * Compiles what of a JSON value is the message: what `item` points at (none if it points at nothing), a string as its
 * content, anything else as JSON text.
 */
export function compileItem({ item, type }: Framing): (value: unknown) => Item {
  const find = compilePointer(item ?? '');
  return function itemOf(value) {
    const found = find(value);
    return { message: found === undefined ? undefined : messageOf(written(found), type), value };
  };
}

/** Throws UPSTREAM_INVALID for JSON that is too deep to be written. */
function written(value: unknown): string {
  try {
    return textOf(value);
  } catch (error) {
    throw invalid('a body is JSON nested too deeply', error);
  }
}

/** A message that came as text. */
export function messageOf(text: string, type: Framing['type']): Message {
  return type === 'binary' ? { data: Buffer.from(text), binary: true } : { data: text, binary: false };
}

type LineFraming = 'ndjson' | 'sse' | 'lines';

/** Whether its messages are whole before the body is. */
export function isByLine(framing: Framing['framing']): framing is LineFraming {
  return framing === 'ndjson' || framing === 'sse' || framing === 'lines';
}

/**
 * Compiles the reader of bodies whose items come one after the other; `limit` is the bytes of the largest.
 * - `ndjson`: one JSON value a line; empty lines are heartbeats.
 * - `lines`: each line is a message, but empty ones.
 * - `sse`: each event of an event stream is one: its data, or with `sse: event` JSON of event, id and data. With `item`
 *   what that points at in data that is JSON; other data (such as `[DONE]`) is a message as it is. With `events` only those of these names are messages.
 */
export function compileItems(framing: Framing, limit: number): () => ItemReader {
  if (framing.framing === 'sse') return () => eventReader(framing, limit);
  return () => lineReader(framing, limit);
}

function lineReader(framing: Framing, limit: number): ItemReader {
  const lines = new LineReader({ limit, loneCr: false });
  const read = framing.framing === 'ndjson' ? compileItem(framing) : undefined;

  function itemsOf(texts: string[]): Item[] {
    return texts.filter((line) => line.trim() !== '').map(itemOf);
  }

  function itemOf(line: string): Item {
    return read ? read(parse(line)) : { message: messageOf(line, framing.type), value: undefined };
  }

  return {
    retryMs: undefined,
    push: (piece) => itemsOf(lines.push(piece)),
    end: () => itemsOf(lines.end()),
  };
}

function eventReader(framing: Framing, limit: number): ItemReader {
  const parser = new EventStreamParser(limit);
  const read = compileItem(framing);
  const { events } = framing;

  function itemOf({ event, id, data }: ServerSentEvent): Item {
    if (data === undefined) return { message: undefined, value: undefined, id };
    if (events?.includes(event) === false) return { message: undefined, value: jsonIn(data), id };
    const value = framing.item === undefined ? undefined : jsonIn(data);
    if (value !== undefined) return { ...read(value), id };
    const text = framing.sse === 'event' ? JSON.stringify({ event, id, data }) : data;
    return {
      message: messageOf(text, framing.type),
      id,
      // Few look into it.
      get value() {
        return jsonIn(data);
      },
    };
  }

  return {
    get retryMs() {
      return parser.retryMs;
    },
    push: (piece) => parser.push(piece).map(itemOf),
    end: () => [],
  };
}

/** Throws UPSTREAM_INVALID for a text that is no JSON; `kind` is what is said of the body that it is from. */
export function parse(text: string, kind = ''): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw invalid(`a body${kind} is not JSON`, error);
  }
}

/** Undefined for a text that is no JSON. */
export function jsonIn(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
