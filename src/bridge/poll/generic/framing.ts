import { isTextType } from '../../../http/media-type.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import { compilePointer } from '../json.ts';
import type { Message } from '../profile.ts';
import { MOST_MESSAGES } from '../wire.ts';
import { invalid, typeIn } from './invalid.ts';
import {
  compileItem,
  compileItems,
  type Framing,
  type Item,
  type ItemReader,
  isByLine,
  parse,
} from './items.ts';
import { utf8 } from './lines.ts';

/** Bytes of a body that are taken apart at a time. */
const STEP = 64 * 1024;

/** An answer taken apart. */
export interface Reading {
  readonly messages: readonly Message[];
  /** Empty where the body is no list. */
  readonly items: readonly Item[];
  /** What a `json:` source is looked for in: the body, or its last line or event. Throws UPSTREAM_INVALID if that is not JSON. */
  document(): unknown;
}

export const EMPTY: Reading = { messages: [], items: [], document: () => undefined };

/**
 * Compiles how the messages of a session stand in an answer. The reader throws UPSTREAM_INVALID where the answer is
 * not of that form.
 * - `body`: the whole body is one message; text if its Content-Type is one of text, else binary.
 * - `json`: what stands at `at`; none if there is nothing.
 * - `json-array`: the items of the array at `at`; none if there is nothing at `at`.
 * - `ndjson`, `lines`, `sse`: as `compileItems` has it.
 */
export function compileFraming(framing: Framing): (answer: HttpAnswer) => Reading {
  const read = compileReader(framing);
  return function readAnswer(answer) {
    return answer.body.length === 0 ? EMPTY : read(answer);
  };
}

function compileReader(framing: Framing): (answer: HttpAnswer) => Reading {
  const find = compilePointer(framing.at ?? '');
  const itemOf = compileItem(framing);
  const itemsOf = compileItems(framing, Infinity);

  function readBody({ headers, body }: HttpAnswer): Reading {
    const isBinary =
      framing.type === 'binary' || (framing.type !== 'text' && !isTextType(headers['content-type']));
    const message = isBinary ? { data: body, binary: true } : { data: utf8(body), binary: false };
    return { messages: [message], items: [], document: () => parseAnswer(headers, body) };
  }

  function readJson({ headers, body }: HttpAnswer): Reading {
    const document = parseAnswer(headers, body);
    const { message } = itemOf(find(document));
    return { messages: message ? [message] : [], items: [], document: () => document };
  }

  function readArray({ headers, body }: HttpAnswer): Reading {
    const document = parseAnswer(headers, body);
    const items = find(document) ?? [];
    if (!Array.isArray(items)) throw invalid(`there is no JSON array at json:${framing.at ?? ''}`);
    checkCount(items);
    return readingOf(items.map(itemOf), () => document);
  }

  function readItems({ body }: HttpAnswer): Reading {
    const items = allIn(body, itemsOf());
    return readingOf(items, () => items.at(-1)?.value);
  }

  if (isByLine(framing.framing)) return readItems;
  return { body: readBody, json: readJson, 'json-array': readArray }[framing.framing];
}

/** Throws UPSTREAM_INVALID for a body that is no JSON: most often it is a page, and says so. */
function parseAnswer(headers: HttpAnswer['headers'], body: Buffer): unknown {
  return parse(utf8(body), ` with ${typeIn(headers)}`);
}

/** Takes a body apart, and goes no further than needed to know that there are too many in it. */
function allIn(body: Buffer, reader: ItemReader): Item[] {
  const items: Item[] = [];
  for (let at = 0; at < body.length; at += STEP) {
    items.push(...reader.push(body.subarray(at, at + STEP)));
    checkCount(items);
  }
  return [...items, ...reader.end()];
}

function checkCount({ length }: readonly unknown[]): void {
  if (length > MOST_MESSAGES) throw invalid(`an answer holds more than ${MOST_MESSAGES} messages`);
}

function readingOf(items: readonly Item[], document: () => unknown): Reading {
  return { messages: items.flatMap(({ message }) => message ?? []), items, document };
}
