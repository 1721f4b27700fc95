import type { IncomingMessage, ServerResponse } from 'node:http';
import { asGatewayError, GatewayError } from '../../errors.ts';
import { badRequest, readFields } from '../../http/fields.ts';
import { parseHost } from '../../http/target.ts';
import type { OwnHostMatcher } from '../admin-hosts.ts';
import type { Logger } from '../log.ts';
import { readBody } from './body.ts';
import type { Guard } from './guard.ts';
import { type Answer, line, type Page, type Question } from './page.ts';

/** What requests are answered with. */
export interface Desk {
  readonly pages: readonly Page[];
  readonly guard: Guard;
  readonly isOwnHost: OwnHostMatcher;
  readonly logger: Logger;
}

/** Answers one request; never rejects. */
export async function answerRequest(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const found = find(desk.pages, request);
  try {
    checkHost(desk.isOwnHost, request);
    write(request, response, await ask(desk, found));
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === 'INTERNAL') desk.logger.error({ err: error }, 'admin page failed');
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    write(request, response, found?.page.failure?.(error) ?? line(sentenceOf(error), error.status));
  }
}

/** What a failure is told in. Only programs of the operator read it: they are told what is malformed, too. */
export function sentenceOf({ code, message, detail }: GatewayError): string {
  return code === 'BAD_REQUEST' && detail !== undefined
    ? `${code}: ${message} ${detail}`
    : `${code}: ${message}`;
}

/** Throws BAD_REQUEST (400) where Host is missing, doubled or malformed, and HOST_REFUSED (403). */
function checkHost(isOwnHost: OwnHostMatcher, { rawHeaders, socket }: IncomingMessage): void {
  const authority = readFields(rawHeaders).one('host');
  if (authority === undefined) throw badRequest('Host is missing');
  if (!isOwnHost(parseHost(authority), socket.localAddress ?? '')) throw new GatewayError('HOST_REFUSED');
}

/** The page that is asked, if there is one, and what it is asked. */
function find(pages: readonly Page[], request: IncomingMessage) {
  const [, path = '', query] = /^([^?]*)\??(.*)$/.exec(request.url ?? '') ?? [];
  for (const page of pages) {
    const [whole, name = ''] = page.path.exec(path) ?? [];
    if (whole === undefined) continue;
    let read: Promise<Buffer> | undefined;
    const body = () => {
      read ??= readBody(request);
      return read;
    };
    const question: Question = { request, name, query: new URLSearchParams(query), body };
    return { page, question };
  }
  return undefined;
}

/** Throws NO_ROUTE (404) and METHOD_NOT_ALLOWED (405), and as the guard and the page do. */
async function ask({ guard }: Desk, found: ReturnType<typeof find>): Promise<Answer> {
  if (found === undefined) throw new GatewayError('NO_ROUTE');
  const { page, question } = found;
  if (page.isGuarded) await guard(question);
  return await methodOf(page, question.request)(question);
}

function methodOf({ methods }: Page, { method = '' }: IncomingMessage) {
  const found = methods[method === 'HEAD' ? 'GET' : method];
  if (found !== undefined) return found;
  const names = Object.keys(methods).flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]));
  throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { allow: names.join(', ') } });
}

function write(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer): void {
  response.statusCode = status;
  response.setHeader('cache-control', 'no-store');
  // A 204 has no body, and no length of one (RFC 9110 §8.6).
  if (body !== '')
    response.setHeader('content-type', type).setHeader('content-length', Buffer.byteLength(body));
  response.end(request.method === 'HEAD' ? undefined : body);
}
