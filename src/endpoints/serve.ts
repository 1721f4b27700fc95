import type { IncomingMessage, ServerResponse } from 'node:http';
import { isPreflight } from '../admission/cors.ts';
import type { Grant } from '../admission/grant.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { PendingRequest } from '../listener/pending-request.ts';
import { readBody } from '../observe/admin/body.ts';
import type { ServedRecord } from '../observe/index.ts';
import type { Endpoint } from './endpoint.ts';
import { optionsFields } from './pages.ts';

/** What they are asked with is a form, or a few fields of JSON. */
const MAX_BYTES = 64 * 1024;
/** For a whole body. */
const BODY_MS = 10_000;
const METHODS = 'POST, OPTIONS';

/**
 * Serves a request for an endpoint, and resolves with what is written of it. Rejects with NO_ROUTE where nothing is,
 * METHOD_NOT_ALLOWED, BODY_TOO_BIG, REQUEST_TIMEOUT for a body that does not come, GATEWAY_FULL, and with what the endpoint refuses with.
 */
export async function serveEndpoint(
  endpoint: Endpoint,
  request: GatewayRequest,
  grant: Grant,
  pending: PendingRequest,
): Promise<ServedRecord> {
  const { message, response } = pending;
  const { method } = request;
  const route = endpoint.path;
  if (endpoint.refusal !== undefined && !isPreflight(request)) throw endpoint.refusal;
  if (method === 'OPTIONS') {
    response.writeHead(204, { ...optionsFields(endpoint.pages, request), allow: METHODS }).end();
    return { route, status: 204, bytes: 0, requestBytes: 0 };
  }
  if (method !== 'POST') throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { allow: METHODS } });
  // Nothing is known of the client yet: a body that does not come must keep nobody out.
  const body = await pending.whileIdle(() => readInTime(message, response));
  const parameters = new URLSearchParams(request.query);
  const { json } = await endpoint.answer({ request, parameters, body, grant });
  const bytes = send(response, json, endpoint.pages?.readable(request));
  return {
    route,
    subject: grant.subject,
    issuer: grant.issuer,
    status: 200,
    bytes,
    requestBytes: body.length,
  };
}

async function readInTime(message: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  if (/^100-continue$/i.test(message.headers.expect ?? '')) response.writeContinue();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new GatewayError('REQUEST_TIMEOUT')), BODY_MS);
  try {
    return await Promise.race([readBody(message, { most: MAX_BYTES, tooBig: 'BODY_TOO_BIG' }), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the length of the body. */
function send(
  response: ServerResponse,
  json: object | undefined,
  fields: Readonly<Record<string, string>> = {},
): number {
  const body = json === undefined ? '' : `${JSON.stringify(json)}\n`;
  const bytes = Buffer.byteLength(body);
  response.writeHead(200, {
    ...fields,
    'cache-control': 'no-store',
    vary: 'Origin',
    ...(json !== undefined && { 'content-type': 'application/json' }),
    'content-length': bytes,
  });
  response.end(body);
  return bytes;
}
