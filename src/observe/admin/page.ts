import type { IncomingMessage } from 'node:http';
import type { GatewayError } from '../../errors.ts';

/** What is answered at once, or by another process. */
export type Answered<T> = T | Promise<T>;

/** What is asked of a page. */
export interface Question {
  readonly request: IncomingMessage;
  /** The part of the path that varies; empty where none does. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** The whole body, read once. Rejects as `readBody` does. */
  body(): Promise<Buffer>;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** What the admin listener answers at one address. */
export interface Page {
  /** Its one group, if there is one, is the `name` of a question. */
  readonly path: RegExp;
  /** Only for who shows a secret. */
  readonly isGuarded?: true;
  /** What each method does, by its name; HEAD is the head of GET. What they throw is the answer. */
  readonly methods: Readonly<Record<string, (question: Question) => Answered<Answer>>>;
  /** How a failure is told, the guard's among them; absent: in a line. */
  readonly failure?: (error: GatewayError) => Answer;
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';

/** An answer of one line. */
export function line(text: string, status = 200): Answer {
  return { status, type: TEXT, body: `${text}\n` };
}

export function json(value: unknown): Answer {
  return { status: 200, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}

/** It is done, and there is nothing to say. */
export const DONE: Answer = { status: 204, type: TEXT, body: '' };
