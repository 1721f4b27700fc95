import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asGatewayError, GatewayError } from '../../src/errors.ts';
import { parseRequest, parseUpgrade } from '../../src/http/parse.ts';
import { type Changes, connection, handshake, rawHeaders, refusal } from '../support/handshakes.ts';

describe('a handshake', () => {
  test('is read', () => {
    const changes = {
      Origin: 'https://app.example.com',
      'Sec-WebSocket-Protocol': ['bearer, t', 'chat'],
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    };
    expect(parseUpgrade(handshake(changes), connection())).toEqual({
      id: 'r1',
      connectionId: 'r1',
      method: 'GET',
      peerAddress: '192.0.2.1',
      clientAddress: '192.0.2.1',
      isLocal: false,
      isPeerTrusted: false,
      secure: true,
      authority: 'app.example.com',
      clientAuthority: 'app.example.com',
      host: 'app.example.com',
      path: '/chat/room',
      query: 'x=1',
      origin: 'https://app.example.com',
      headers: expect.arrayContaining([['Origin', 'https://app.example.com']]),
      key: 'dGhlIHNhbXBsZSBub25jZQ==',
      protocols: ['bearer', 't', 'chat'],
      deflateOffer: 'permessage-deflate; client_max_window_bits',
    });
  });

  test.each([
    ['connect-tcp-12', 'connect-tcp-12'],
    ['Connect-TCP-08', 'connect-tcp-08'],
  ])('may be one for %s, which has no part in WebSocket fields', (token, connectTcp) => {
    const none = { 'Sec-WebSocket-Key': undefined, 'Sec-WebSocket-Version': undefined };
    const read = parseUpgrade(handshake({ ...none, Upgrade: token }), connection());
    expect(read).toMatchObject({ connectTcp, key: '', protocols: [], deflateOffer: undefined });
  });

  test.each(['connect-tcp', 'connect-tcp-12, connect-tcp-08', 'connect-tcp-12/1'])(
    'in another version of connect-tcp is refused with those that are spoken: %s',
    (token) => {
      const error = refusal(() => parseUpgrade(handshake({ Upgrade: token }), connection()));
      expect(error.code).toBe('UPGRADE_REQUIRED');
      expect(error.headers).toEqual({ upgrade: 'connect-tcp-12, connect-tcp-08, connect-tcp-07' });
    },
  );

  test.each<[string, Changes]>([
    ['Upgrade in any case', { Upgrade: 'WebSocket' }],
    ['other options in Connection', { Connection: 'keep-alive, UPGRADE' }],
    ['Connection in two fields', { Connection: ['keep-alive', 'Upgrade'] }],
    ['a Host with a port', { Host: 'app.example.com:8443' }],
    ['a body of no length', { 'Content-Length': '0' }],
  ])('may have %s', (_, changes) => {
    expect(parseUpgrade(handshake(changes), connection()).host).toBe('app.example.com');
  });

  test.each<[string, Changes]>([
    ['no Host', { Host: undefined }],
    ['two Hosts', { Host: ['app.example.com', 'app.example.com'] }],
    ['a junk Host', { Host: 'a b' }],
    ['an empty Host', { Host: '' }],
    ['two Origins', { Origin: ['https://a.example', 'https://a.example'] }],
    ['two Authorizations', { Authorization: ['Bearer a', 'Bearer a'] }],
    ['a Content-Length', { 'Content-Length': '5' }],
    ['a Content-Length of many noughts', { 'Content-Length': '00' }],
    ['two Content-Lengths', { 'Content-Length': ['0', '0'] }],
    ['a Transfer-Encoding', { 'Transfer-Encoding': 'chunked' }],
    ['two Upgrades', { Upgrade: ['websocket', 'websocket'] }],
    ['no Connection', { Connection: undefined }],
    ['a Connection that lacks upgrade', { Connection: 'keep-alive' }],
    ['a Connection that only resembles it', { Connection: 'upgraded' }],
    ['two versions', { 'Sec-WebSocket-Version': ['13', '13'] }],
    ['no key', { 'Sec-WebSocket-Key': undefined }],
    ['two keys', { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }],
    ['a key of 15 bytes', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }],
    ['a key of 17 bytes', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZTE=' }],
    ['a key that is no base64', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZ!==' }],
    ['a malformed subprotocol', { 'Sec-WebSocket-Protocol': 'a b' }],
    ['a malformed extension', { 'Sec-WebSocket-Extensions': 'a=' }],
    ['a line break in a value', { 'X-A': 'a\r\nX-User: root' }],
  ])('with %s is a bad request', (_, changes) => {
    const error = refusal(() => parseUpgrade(handshake(changes), connection()));
    expect([error.code, error.status]).toEqual(['BAD_REQUEST', 400]);
  });

  test.each<[string, Changes]>([
    ['no Upgrade', { Upgrade: undefined }],
    ['h2c', { Upgrade: 'h2c' }],
    ['a choice', { Upgrade: 'websocket, h2c' }],
    ['a version of the protocol', { Upgrade: 'websocket/13' }],
    ['no version', { 'Sec-WebSocket-Version': undefined }],
    ['version 8', { 'Sec-WebSocket-Version': '8' }],
    ['version 013', { 'Sec-WebSocket-Version': '013' }],
    ['several versions', { 'Sec-WebSocket-Version': '13, 8' }],
  ])('with %s is told what is spoken here', (_, changes) => {
    const error = refusal(() => parseUpgrade(handshake(changes), connection()));
    expect([error.code, error.status]).toEqual(['UPGRADE_REQUIRED', 426]);
    expect(error.headers).toEqual({ 'sec-websocket-version': '13', upgrade: 'websocket' });
  });

  test.each(['POST', 'HEAD', 'DELETE', 'get', ''])('by the method "%s" is refused', (method) => {
    const error = refusal(() => parseUpgrade(handshake({}, { method }), connection()));
    expect([error.code, error.headers.allow]).toEqual(['METHOD_NOT_ALLOWED', 'GET']);
  });

  test.each(['0.9', '1.0', '2.0'])('over HTTP/%s is refused', (httpVersion) => {
    expect(refusal(() => parseUpgrade(handshake({}, { httpVersion }), connection())).code).toBe(
      'BAD_REQUEST',
    );
  });

  test.each(['*', 'chat', 'ws://app.example.com/chat', 'app.example.com:80'])('for %s is refused', (url) => {
    expect(refusal(() => parseUpgrade(handshake({}, { url }), connection())).code).toBe('BAD_REQUEST');
  });

  test('with more than a hundred fields is too large', () => {
    const many = Object.fromEntries(Array.from({ length: 96 }, (_, i) => [`X-${i}`, 'v']));
    expect(refusal(() => parseUpgrade(handshake(many), connection())).code).toBe('HEADERS_TOO_LARGE');
  });

  test('whose socket is gone is nobody’s', () => {
    expect(refusal(() => parseUpgrade(handshake(), connection({ peerAddress: undefined }))).code).toBe(
      'CLIENT_LOST',
    );
  });

  test('comes from the client that a trusted proxy names', () => {
    const changes = { 'X-Forwarded-For': '198.51.100.1', 'X-Forwarded-Proto': 'https' };
    const from = connection({
      peerAddress: '::ffff:10.0.0.1',
      secure: false,
      trustedProxies: (it) => it === '10.0.0.1',
    });
    expect(parseUpgrade(handshake(changes), from)).toMatchObject({
      peerAddress: '10.0.0.1',
      clientAddress: '198.51.100.1',
      secure: true,
    });
  });

  test('is called as a trusted proxy calls it and its host, and by nobody else’s names', () => {
    const changes = { 'X-Request-Id': 'theirs', 'X-Forwarded-Host': 'site.test' };
    const parse = (isTrusted: boolean) =>
      parseUpgrade(handshake(changes), connection({ trustedProxies: () => isTrusted }));
    expect(parse(true)).toMatchObject({ id: 'theirs', connectionId: 'r1', clientAuthority: 'site.test' });
    expect(parse(false)).toMatchObject({ id: 'r1', connectionId: 'r1', clientAuthority: 'app.example.com' });
  });

  test('of random fields and target is read or refused, never anything else', () => {
    const name = fc.oneof(
      fc.constantFrom(...rawHeaders(), 'Origin', 'Forwarded', 'Sec-WebSocket-Protocol'),
      fc.string(),
    );
    const value = fc.oneof(
      fc.constantFrom(...rawHeaders(), 'https://a', ''),
      fc.string(),
      fc.string({ unit: 'binary' }),
    );
    const fields = fc.array(fc.tuple(name, value)).map((pairs) => pairs.flat());
    const heads = fc.record({
      method: fc.option(fc.constantFrom('GET', 'POST', ''), { nil: undefined }),
      url: fc.option(fc.oneof(fc.webPath(), fc.string()), { nil: undefined }),
      httpVersion: fc.constantFrom('1.1', '1.1', '1.0'),
      rawHeaders: fc.tuple(fc.constantFrom([], rawHeaders()), fields).map((lists) => lists.flat()),
    });
    fc.assert(
      fc.property(heads, fc.boolean(), (head, trusted) => {
        for (const parse of [parseRequest, parseUpgrade]) {
          try {
            parse(head, connection({ trustedProxies: () => trusted }));
          } catch (error) {
            expect(error).toBeInstanceOf(GatewayError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a plain request', () => {
  test.each(['GET', 'POST', 'DELETE', 'OPTIONS'])('may be a %s with a body', (method) => {
    const head = handshake({ Upgrade: undefined, 'Content-Length': '5' }, { method });
    expect(parseRequest(head, connection())).toMatchObject({ method, path: '/chat/room', query: 'x=1' });
  });

  test.each<[string, Parameters<typeof handshake>]>([
    ['two Hosts', [{ Host: ['a', 'b'] }]],
    ['no Host', [{ Host: undefined }]],
    ['two Authorizations', [{ Authorization: ['a', 'b'] }]],
    ['two Origins', [{ Origin: ['a', 'b'] }]],
    ['HTTP/0.9', [{}, { httpVersion: '0.9' }]],
    ['HTTP/2.0', [{}, { httpVersion: '2.0' }]],
    ['Transfer-Encoding in HTTP/1.0', [{ 'Transfer-Encoding': 'chunked' }, { httpVersion: '1.0' }]],
    ['neither Host nor an address in HTTP/1.0', [{ Host: undefined }, { httpVersion: '1.0' }]],
    ['a target of another scheme', [{}, { url: 'ftp://a/' }]],
    ['credentials in its target', [{}, { url: 'http://user:pw@a/' }]],
    ['a host of its target that is none', [{}, { url: 'http://a b/' }]],
    ['no host in its target', [{}, { url: 'http:///x' }]],
    ['a target in absolute form and no Host', [{ Host: undefined }, { url: 'http://a/' }]],
    ['a target in absolute form and a junk Host', [{ Host: 'a b' }, { url: 'http://a/' }]],
    ['a target in absolute form and two Hosts', [{ Host: ['a', 'a'] }, { url: 'http://a/' }]],
    ['the star of OPTIONS', [{}, { url: '*' }]],
  ])('with %s is refused', (_, [changes, head]) => {
    expect(refusal(() => parseRequest(handshake(changes, head), connection())).code).toBe('BAD_REQUEST');
  });

  test('may come over HTTP/1.0', () => {
    const head = handshake({ Host: 'App.example.com:81' }, { httpVersion: '1.0' });
    expect(parseRequest(head, connection())).toMatchObject({ host: 'app.example.com', path: '/chat/room' });
  });

  test.each([
    ['127.0.0.1:8080', '127.0.0.1'],
    ['[::1]:8080', '::1'],
  ])('of HTTP/1.0 without Host is for the address it came to, %s', (localAuthority, host) => {
    const head = handshake({ Host: undefined }, { httpVersion: '1.0' });
    expect(parseRequest(head, connection({ localAuthority }))).toMatchObject({
      authority: localAuthority,
      host,
    });
  });

  test('of HTTP/1.1 without Host is refused all the same', () => {
    const head = handshake({ Host: undefined });
    const where = connection({ localAuthority: '127.0.0.1:8080' });
    expect(refusal(() => parseRequest(head, where)).detail).toBe('Host is missing');
  });

  test('may ask about the whole server', () => {
    const head = handshake({}, { method: 'OPTIONS', url: '*' });
    expect(parseRequest(head, connection())).toMatchObject({
      path: '*',
      query: undefined,
      host: 'app.example.com',
    });
  });
});

describe('a target in absolute form', () => {
  const target = { url: 'http://Other.example:81/x?y=1' };
  const parts = { authority: 'Other.example:81', host: 'other.example', path: '/x', query: 'y=1' };

  test('says whom a request is for, whatever Host says', () => {
    expect(parseRequest(handshake({}, target), connection())).toMatchObject(parts);
    expect(parseUpgrade(handshake({}, target), connection())).toMatchObject(parts);
  });

  test('does so over HTTP/1.0, which may lack Host', () => {
    const head = handshake({ Host: undefined }, { ...target, httpVersion: '1.0' });
    expect(parseRequest(head, connection({ localAuthority: '127.0.0.1:1' }))).toMatchObject(parts);
  });
});

describe('bytes that Node’s parser lets pass', () => {
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  const good = ['GET /chat HTTP/1.1', 'Host: a', ...fields, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

  test.each<[string, string, string]>([
    ['a good handshake', 'read', good.join('\r\n')],
    ['a missing Host', 'BAD_REQUEST', good.filter((line) => line !== 'Host: a').join('\r\n')],
    ['two Hosts', 'BAD_REQUEST', [...good, 'Host: b'].join('\r\n')],
    ['a Content-Length', 'BAD_REQUEST', [...good, 'Content-Length: 5'].join('\r\n')],
    ['a Transfer-Encoding', 'BAD_REQUEST', [...good, 'Transfer-Encoding: chunked'].join('\r\n')],
    ['a request line without a version', 'BAD_REQUEST', `GET /chat\n${good.slice(1).join('\r\n')}`],
    ['a Content-Length of 0', 'read', [...good, 'Content-Length: 0'].join('\r\n')],
    ['an absolute target', 'read', ['GET http://b/chat HTTP/1.1', ...good.slice(1)].join('\r\n')],
    ['HTTP/1.0', 'BAD_REQUEST', ['GET /chat HTTP/1.0', ...good.slice(1)].join('\r\n')],
    ['h2c', 'UPGRADE_REQUIRED', good.join('\r\n').replace('websocket', 'h2c')],
    ['two Origins', 'BAD_REQUEST', [...good, 'Origin: http://a', 'Origin: http://b'].join('\r\n')],
  ])('%s: %s', async (_, outcome, head) => {
    expect(await outcomeOf(`${head}\r\n\r\n`)).toBe(outcome);
  });
});

/** Sends `bytes` through Node's own parser; the code with which what comes out of it is refused, or `read`. */
async function outcomeOf(bytes: string): Promise<string> {
  const server = createServer({ requireHostHeader: false });
  const judge = (message: IncomingMessage) => {
    try {
      parseUpgrade(message, connection({ peerAddress: message.socket.remoteAddress }));
      message.socket.end('read');
    } catch (error) {
      message.socket.end(asGatewayError(error).code);
    }
  };
  server.on('upgrade', judge).on('request', judge);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(bytes);
    return await text(socket);
  } finally {
    server.close();
  }
}
