import type { IncomingMessage, ServerResponse } from 'node:http';
import { asGatewayError, GatewayError } from '../../errors.ts';
import { badRequest, readFields } from '../../http/fields.ts';
import { parseHost } from '../../http/target.ts';
import type { OwnHostMatcher } from '../admin-hosts.ts';
import type { Logger } from '../log.ts';
import type { Guard } from './guard.ts';
import { type Answer, line, type Page } from './page.ts';

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
  try {
    checkHost(desk.isOwnHost, request);
    write(request, response, await ask(desk, request));
  } catch (thrown) {
    const error = asGatewayError(thrown);
    if (error.code === 'INTERNAL') desk.logger.error({ err: error }, 'admin page failed');
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    write(request, response, line(sentenceOf(error), error.status));
  }
}

/** Only programs of the operator read it: they are told what is malformed, too. */
function sentenceOf({ code, message, detail }: GatewayError): string {
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

/** Throws NO_ROUTE (404) and METHOD_NOT_ALLOWED (405), and as the guard and the page do. */
async function ask({ pages, guard }: Desk, request: IncomingMessage): Promise<Answer> {
  const [, path = '', query] = /^([^?]*)\??(.*)$/.exec(request.url ?? '') ?? [];
  for (const page of pages) {
    const [whole, name = ''] = page.path.exec(path) ?? [];
    if (whole === undefined) continue;
    if (page.isGuarded) await guard(request);
    return await methodOf(page, request)({ request, name, query: new URLSearchParams(query) });
  }
  throw new GatewayError('NO_ROUTE');
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
