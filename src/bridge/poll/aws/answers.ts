import { GatewayError } from '../../../errors.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import { compileFraming } from '../generic/framing.ts';
import { parseJson, scalarOf } from '../json.ts';
import type { Message } from '../profile.ts';
import { jsonToClient } from '../wire.ts';

/** What a function has answered. */
export type FunctionAnswer =
  /** As HTTP would have it: a proxy result, or what stands for one. */
  | { readonly kind: 'result'; readonly answer: HttpAnswer; readonly messages: readonly Message[] }
  /** It has thrown. */
  | { readonly kind: 'thrown' };

interface ProxyResult {
  readonly statusCode: number;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

const readWhole = compileFraming({ framing: 'body' });

/**
 * Reads an answer: a proxy result (`statusCode`, `headers`, `body`, `isBase64Encoded`), or any other JSON, which stands for
 * a result with that for its body; null is none. What is no JSON comes from a plain HTTP service, and is a body as it is.
 * Throws UPSTREAM_INVALID.
 */
export function readAnswer(answer: HttpAnswer): FunctionAnswer {
  if (answer.headers['x-amz-function-error'] !== undefined) return { kind: 'thrown' };
  const value = valueIn(answer);
  if (value === undefined) return { kind: 'result', answer, messages: readWhole(answer).messages };
  if (isProxyResult(value)) return { kind: 'result', ...readResult(value) };
  if (isError(value)) return { kind: 'thrown' };
  return { kind: 'result', answer, messages: messagesOf(value ?? '', false) };
}

/** The JSON in a body; undefined where it is none. */
function valueIn({ body }: HttpAnswer): unknown {
  try {
    return parseJson(body.toString());
  } catch {
    return undefined;
  }
}

function isProxyResult(value: unknown): value is ProxyResult {
  return typeof value === 'object' && value !== null && 'statusCode' in value;
}

/** What the runtime answers where the function has thrown; the status and a header tell so only with AWS itself. */
function isError(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'errorMessage' in value && 'errorType' in value;
}

function readResult({ statusCode, headers, body, isBase64Encoded }: ProxyResult) {
  const status = Number(scalarOf(statusCode));
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw invalid('a function’s result has no statusCode from 200 to 599');
  const messages = messagesOf(body ?? '', isBase64Encoded === true);
  const bytes = messages.map(({ data }) => Buffer.from(data));
  return { answer: { status, headers: fieldsOf(headers), body: Buffer.concat(bytes) }, messages };
}

function fieldsOf(headers: unknown): Record<string, string> {
  if (headers === undefined || headers === null) return {};
  if (typeof headers !== 'object') throw invalid('a function’s result has headers that are no object');
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), textOf(value)] as const);
  return Object.fromEntries(fields.filter(([, value]) => FIELD_VALUE.test(value)));
}

/** In JSON a line may end, in a field it may not (RFC 9110 §5.5). */
const FIELD_VALUE = /^[\t -~\x80-\xff]*$/;

/** What is empty is no message. */
function messagesOf(body: unknown, isBase64: boolean): readonly Message[] {
  const text = textOf(body);
  if (text === '') return [];
  return [isBase64 ? { data: Buffer.from(text, 'base64'), binary: true } : { data: text, binary: false }];
}

/** A text as it is, anything else as JSON. Throws UPSTREAM_INVALID for what is nested too deeply. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : jsonToClient(value);
}

function invalid(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail });
}
