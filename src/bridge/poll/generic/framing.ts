import type { GenericConfig } from '../../../config/poll/index.ts';
import { GatewayError } from '../../../errors.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import { compilePointer, parseJson, textOf } from '../json.ts';
import type { Message } from '../profile.ts';

/** An answer taken apart. */
export interface Reading {
  readonly messages: readonly Message[];
  /** What a `json:` cursor is looked for in: the body, or its last line. Throws UPSTREAM_INVALID if that is not JSON. */
  document(): unknown;
}

type Framing = GenericConfig['messages'];

/**
 * Compiles how the messages of a session stand in an answer. The reader throws UPSTREAM_INVALID where the answer is
 * not of that form.
 * - `body`: the whole body is one message; text if its Content-Type is text or JSON, else binary.
 * - `json-array`: the items of the array at `at`; none if there is nothing at `at`.
 * - `ndjson`: one JSON value a line; empty lines are heartbeats.
 * Of an item, what `item` points at is the message (none if it points at nothing): a string as its content,
 * anything else as JSON text.
 */
export function compileFraming({ framing, at = '', item }: Framing): (answer: HttpAnswer) => Reading {
  const list = compilePointer(at);
  const message = compilePointer(item ?? '');

  function readBody({ headers, body }: HttpAnswer): Reading {
    const binary = !isText(headers['content-type']);
    const messages = [{ data: binary ? body : textBody(body), binary }];
    return { messages, document: () => parse(textBody(body)) };
  }

  function readArray({ body }: HttpAnswer): Reading {
    const document = parse(textBody(body));
    const items = list(document) ?? [];
    if (!Array.isArray(items)) throw invalid('there is no JSON array where messages should be');
    return { messages: messagesOf(items.map(message)), document: () => document };
  }

  function readLines({ body }: HttpAnswer): Reading {
    const documents = textBody(body)
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parse);
    return { messages: messagesOf(documents.map(message)), document: () => documents.at(-1) };
  }

  const read = { body: readBody, 'json-array': readArray, ndjson: readLines }[framing];
  return function readAnswer(answer) {
    return answer.body.length === 0 ? { messages: [], document: () => undefined } : read(answer);
  };
}

function messagesOf(values: readonly unknown[]): Message[] {
  return values
    .filter((value) => value !== undefined)
    .map((value) => ({ data: textOf(value), binary: false }));
}

function isText(contentType: string | undefined): boolean {
  return /^(text\/|application\/([a-z0-9.+-]+\+)?json\b)/i.test(contentType ?? '');
}

/** A byte order mark is part of the message, as it would be in a text frame. */
function textBody(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (error) {
    throw invalid('a text body is not UTF-8', error);
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw invalid('a body is not JSON', error);
  }
}

function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail, cause });
}
