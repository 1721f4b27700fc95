import type { Grant } from '../../src/admission/grant.ts';
import { type RouteConfig, schema } from '../../src/config/schema.ts';
import { GatewayError } from '../../src/errors.ts';
import type { ConnectionInfo, RequestHead } from '../../src/http/parse.ts';
import type { GatewayRequest, HeaderField, UpgradeRequest } from '../../src/http/request.ts';

/** Changed header fields: undefined leaves one out, a list sends it several times. */
export type Changes = Readonly<Record<string, string | readonly string[] | undefined>>;

const HANDSHAKE: Changes = {
  Host: 'app.example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};

/** Node's flat list of names and values; of a valid handshake unless `base` says otherwise. */
export function rawHeaders(changes: Changes = {}, base: Changes = HANDSHAKE): string[] {
  return Object.entries({ ...base, ...changes }).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [name, one]),
  );
}

/** A valid handshake as Node's parser hands it on, with changes. */
export function handshake(changes: Changes = {}, head: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    url: '/chat/room?x=1',
    httpVersion: '1.1',
    rawHeaders: rawHeaders(changes),
    ...head,
  };
}

export function connection(given: Partial<ConnectionInfo> = {}): ConnectionInfo {
  return { id: 'r1', peerAddress: '192.0.2.1', secure: true, trustedProxies: () => false, ...given };
}

/** An upgrade as admission sees it. */
export function upgradeOf(given: Partial<UpgradeRequest> = {}): UpgradeRequest {
  return {
    ...plainOf(),
    key: 'dGhlIHNhbXBsZSBub25jZQ==',
    protocols: [],
    deflateOffer: undefined,
    ...given,
  };
}

/** A plain request as admission sees it. */
export function plainOf(given: Partial<GatewayRequest> = {}): GatewayRequest {
  return {
    id: 'r1',
    connectionId: 'c1',
    method: 'GET',
    peerAddress: '192.0.2.1',
    clientAddress: '192.0.2.1',
    secure: true,
    isPeerTrusted: false,
    authority: 'app.example.com',
    clientAuthority: given.authority ?? 'app.example.com',
    host: 'app.example.com',
    path: '/chat/room',
    query: undefined,
    origin: undefined,
    headers: [],
    ...given,
  };
}

export function grantOf(given: Partial<Grant> = {}): Grant {
  return { claims: {}, releases: [], ...given };
}

/** A route as the configuration makes it; only what a test is about need be given. */
export function routeConfig(given: Readonly<Record<string, unknown>> = {}): RouteConfig {
  const route = {
    name: 'chat',
    match: { path: '/*' },
    auth: 'none',
    upstream: { websocket: 'ws://127.0.0.1:1' },
    ...given,
  };
  const issuer = { issuer: 'https://id', audience: 'a', algorithms: ['ES256'], publicKey: 'key.pem' };
  const config = schema.parse({ listeners: [{ port: 0 }], issuers: { main: issuer }, routes: [route] });
  return config.routes[0] as RouteConfig;
}

/** The GatewayError that `act` throws. Throws if it throws something else, or nothing. */
export function refusal(act: () => unknown): GatewayError {
  try {
    act();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The values of a header field, in order. */
export function valuesOf(headers: readonly HeaderField[], name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
