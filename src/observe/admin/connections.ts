import { isUtf8 } from 'node:buffer';
import type { Message } from '../../bridge/poll/profile.ts';
import { type ErrorCode, GatewayError } from '../../errors.ts';
import { type CloseStatus, NORMAL } from '../../frames/close.ts';
import { badRequest } from '../../http/fields.ts';
import { isTextType } from '../../http/media-type.ts';
import type { Backchannel } from './backchannel.ts';
import { closeStatus } from './close-status.ts';
import { type Answer, DONE, json, line, type Page, type Question } from './page.ts';

/** So long a push waits for a client that reads slowly; then it is only said to be on its way. */
const PUSH_MS = 5_000;

const REFUSALS = {
  gone: 'CONNECTION_GONE',
  full: 'PUSHES_FULL',
  unsupported: 'PUSH_REFUSED',
} as const satisfies Record<string, ErrorCode>;

/** Whether what is pushed is a text. */
type TextRule = (contentType: string | undefined, data: Buffer) => boolean;

/**
 * `/connections/{id}`, by which a service that has no connection of its own to a client speaks first: POST sends a message, DELETE
 * closes, GET tells.
 */
export function connectionPage(backchannel: Backchannel, isText: TextRule = isTextType): Page {
  async function push(question: Question): Promise<Answer> {
    const waitMs = readWait(question.query) ? PUSH_MS : 0;
    const message = await readMessage(question, isText);
    const outcome = await backchannel.push(question.name, message, waitMs);
    if (outcome === 'delivered') return line(outcome);
    if (outcome === 'on its way') return line(outcome, 202);
    throw new GatewayError(REFUSALS[outcome]);
  }

  async function close({ name, query }: Question): Promise<Answer> {
    if (!(await backchannel.close(name, readStatus(query)))) throw new GatewayError('CONNECTION_GONE');
    return DONE;
  }

  async function describe({ name }: Question): Promise<Answer> {
    const record = await backchannel.describe(name);
    if (record === undefined) throw new GatewayError('CONNECTION_GONE');
    return json(record);
  }

  return {
    path: /^\/connections\/([^/]+)$/,
    isGuarded: true,
    methods: { GET: describe, POST: push, DELETE: close },
  };
}

/** A text where the Content-Type says so, as that of an answer does. Rejects with INVALID_PAYLOAD for one that is not UTF-8. */
async function readMessage({ request, body }: Question, isText: TextRule): Promise<Message> {
  const data = await body();
  const binary = !isText(request.headers['content-type'], data);
  if (!binary && !isUtf8(data)) throw new GatewayError('INVALID_PAYLOAD');
  return { data, binary };
}

function readWait(query: URLSearchParams): boolean {
  const wait = query.get('wait');
  if (wait !== null && wait !== 'none') throw badRequest('wait is none, or left out');
  return wait === null;
}

function readStatus(query: URLSearchParams): CloseStatus {
  return closeStatus(query.get('code') ?? String(NORMAL), query.get('reason') ?? '');
}
