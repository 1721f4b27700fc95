import { CONNECT_TCP } from '../capsules/types.ts';
import { GatewayError } from '../errors.ts';
import { type AddressMatcher, normaliseAddress } from './address.ts';
import { badRequest, type Fields, readFields } from './fields.ts';
import { clientOf, requestId } from './forwarded.ts';
import { parseDeflateOffer, parseProtocols } from './offers.ts';
import type { GatewayRequest, TlsInfo, UpgradeRequest } from './request.ts';
import { parseHost, parseTarget, type Target } from './target.ts';

/**
 * From what Node's parser hands on to a request whose form has been checked. By hand and on the raw fields: for an upgrade Node
 * lets a missing or doubled Host, a body, HTTP/0.9 and any target pass, and `message.headers` joins or drops duplicates.
 */

/** What is read of a request; Node's IncomingMessage fits. */
export interface RequestHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

/** What the listener knows about where a request came from. */
export interface ConnectionInfo {
  readonly id: string;
  /** The socket's peer; undefined once it is gone. */
  readonly peerAddress: string | undefined;
  /** As in GatewayRequest. */
  readonly ends?: GatewayRequest['ends'];
  /** The socket speaks TLS. */
  readonly secure: boolean;
  /** Of a socket that speaks TLS. */
  readonly tls?: TlsInfo | undefined;
  /** Whose X-Forwarded-* and Forwarded are believed. */
  readonly trustedProxies: AddressMatcher;
  /** It came in plain text to a listener that only this machine reaches. */
  readonly isLocal?: boolean | undefined;
  /** `address:port` that the client connected to, IPv6 in brackets: it stands in for the Host that HTTP/1.0 may lack. */
  readonly localAuthority?: string | undefined;
}

/** Checks a plain request. Throws BAD_REQUEST, HEADERS_TOO_LARGE, or CLIENT_LOST if the socket is gone. */
export function parseRequest(head: RequestHead, connection: ConnectionInfo): GatewayRequest {
  return readRequest(head, readFields(head.rawHeaders), connection);
}

/**
 * Checks a WebSocket handshake (RFC 6455 §4.2.1), or a request for connect-tcp. Throws as `parseRequest` does,
 * METHOD_NOT_ALLOWED, and UPGRADE_REQUIRED where it asks for something other than WebSocket version 13 or a known connect-tcp.
 */
export function parseUpgrade(head: RequestHead, connection: ConnectionInfo): UpgradeRequest {
  if (head.httpVersion !== '1.1') throw badRequest('not HTTP/1.1');
  const fields = readFields(head.rawHeaders);
  const request = readRequest(head, fields, connection);
  if (request.method !== 'GET') throw new GatewayError('METHOD_NOT_ALLOWED', { headers: { allow: 'GET' } });
  checkNoBody(fields);
  const connectTcp = readConnectTcp(fields);
  checkConnection(fields);
  if (connectTcp !== undefined)
    return { ...request, connectTcp, key: '', protocols: [], deflateOffer: undefined };
  checkWebSocket(fields);
  return {
    ...request,
    key: readKey(fields),
    protocols: parseProtocols(fields.all('sec-websocket-protocol')),
    deflateOffer: parseDeflateOffer(fields.all('sec-websocket-extensions')),
  };
}

function readRequest(head: RequestHead, fields: Fields, connection: ConnectionInfo): GatewayRequest {
  checkVersion(head, fields);
  const { method = '', url = '' } = head;
  const target = parseTarget(url, method);
  const authority = authorityOf(head, fields, connection, target);
  // Two credentials, and nobody could say which one an upstream would take.
  fields.one('authorization');
  const peerAddress = normaliseAddress(connection.peerAddress ?? '');
  if (peerAddress === undefined) throw new GatewayError('CLIENT_LOST');
  const client = clientOf(
    { address: peerAddress, secure: connection.secure },
    fields,
    connection.trustedProxies,
  );
  const isPeerTrusted = connection.trustedProxies(peerAddress);
  return {
    id: (isPeerTrusted ? requestId(fields) : undefined) ?? connection.id,
    connectionId: connection.id,
    method,
    peerAddress,
    clientAddress: client.address,
    ends: connection.ends,
    secure: client.secure,
    tls: connection.tls,
    isLocal: connection.isLocal === true,
    isPeerTrusted,
    authority,
    clientAuthority: client.authority ?? authority,
    host: parseHost(authority),
    path: target.path,
    query: target.query,
    origin: fields.one('origin'),
    headers: fields.list,
  };
}

function checkVersion({ httpVersion }: RequestHead, fields: Fields): void {
  // A lone `GET /x` line counts as HTTP/0.9 for Node's parser, and would pass.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw badRequest('neither HTTP/1.1 nor HTTP/1.0');
  // What comes behind it may be a request to one of two servers and a body to the other (RFC 9112 §6.1).
  if (httpVersion === '1.0' && fields.all('transfer-encoding').length > 0)
    throw badRequest('HTTP/1.0 has no Transfer-Encoding');
}

/** Whom the request is for: by its target first, whatever Host says (RFC 9112 §3.2.2). */
function authorityOf(
  { httpVersion }: RequestHead,
  fields: Fields,
  { localAuthority }: ConnectionInfo,
  target: Target,
): string {
  const host = fields.one('host');
  if (host === undefined && httpVersion === '1.1') throw badRequest('Host is missing');
  if (host !== undefined && target.authority !== undefined) parseHost(host);
  const authority = target.authority ?? host ?? localAuthority;
  if (authority === undefined) throw badRequest('Host is missing');
  return authority;
}

/** A body on an upgrade is how requests are smuggled past a proxy: the two sides disagree where the WebSocket begins. */
function checkNoBody(fields: Fields): void {
  const length = fields.one('content-length') ?? '0';
  if (length !== '0' || fields.all('transfer-encoding').length > 0)
    throw badRequest('an upgrade came with a body');
}

/** RFC 6455 §4.2.1 item 3, and the version of connect-tcp. Nothing else: h2c and the like are other ways past a proxy. */
function readConnectTcp(fields: Fields): string | undefined {
  const token = fields.one('upgrade')?.toLowerCase() ?? '';
  if (CONNECT_TCP.has(token)) return token;
  if (token.startsWith('connect-tcp')) throw otherConnectTcp();
  if (token !== 'websocket') throw upgradeRequired();
  return undefined;
}

function checkConnection(fields: Fields): void {
  const connection = fields.all('connection').join(',').toLowerCase().split(',');
  if (!connection.some((option) => option.trim() === 'upgrade')) throw badRequest('Connection lacks upgrade');
}

/** RFC 6455 §4.2.1 item 6. */
function checkWebSocket(fields: Fields): void {
  if (fields.one('sec-websocket-version') !== '13') throw upgradeRequired();
}

function otherConnectTcp(): GatewayError {
  const versions = [...CONNECT_TCP.keys()].join(', ');
  const sentence = `This version of connect-tcp is not spoken here: ${versions} are.`;
  return new GatewayError('UPGRADE_REQUIRED', { headers: { upgrade: versions }, sentence });
}

/** The 426 that says what is spoken here (RFC 6455 §4.4, RFC 9110 §15.5.22). */
export function upgradeRequired(): GatewayError {
  return new GatewayError('UPGRADE_REQUIRED', {
    headers: { 'sec-websocket-version': '13', upgrade: 'websocket' },
  });
}

/** 16 bytes are 22 digits of base64 and two of padding (RFC 6455 §4.1, item 7). */
function readKey(fields: Fields): string {
  const key = fields.one('sec-websocket-key');
  if (key === undefined || !/^[A-Za-z0-9+/]{22}==$/.test(key))
    throw badRequest('Sec-WebSocket-Key is not 16 bytes');
  return key;
}
