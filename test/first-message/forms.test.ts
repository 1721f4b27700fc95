import fc from 'fast-check';
import { generate, type IConnectPacket, parser } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import type { MessageSource } from '../../src/config/first-message.ts';
import { readMessageSource } from '../../src/config/first-message.ts';
import { GatewayError } from '../../src/errors.ts';
import type { Form, Reading } from '../../src/first-message/forms/form.ts';
import { createForm } from '../../src/first-message/forms/index.ts';
import { createSocketIoForm } from '../../src/first-message/forms/socket-io.ts';
import type { UpgradeRequest } from '../../src/http/request.ts';
import { requestOf } from '../support/requests.ts';

/** What the forms of first messages make of bytes. */

const formOf = (text: string): Form => createForm(readMessageSource(text) as MessageSource);

/** The tokens and the rest, as text; `more` if it goes on, or what is wrong with it. */
function read(source: string, message: string | Buffer): unknown {
  try {
    const reading = formOf(source).read(Buffer.from(message));
    return reading === undefined ? 'more' : [...reading.tokens, String(reading.bare)];
  } catch (error) {
    return (error as GatewayError).detail;
  }
}

describe('a message', () => {
  test.each([
    ['message', ' t ', ['t', '']],
    ['message:', '', ['']],
    ['message:/a', '{"a":"t","b":1}', ['t', '{"b":1}']],
    ['message:/a/b', '{"a":{"b":"t"}}', ['t', '{"a":{}}']],
    ['message:/a~1b/m~0n', '{"a/b":{"m~n":"t"}}', ['t', '{"a/b":{}}']],
    ['message:/', '{"":"t"}', ['t', '{}']],
    ['message:/1', '["AUTH","t"]', ['t', '["AUTH",""]']],
    ['message:/01', '["AUTH","t"]', 'the first message has no text at /01'],
    ['message:/length', '["AUTH","t"]', 'the first message has no text at /length'],
    ['message:/__proto__/a', '{"__proto__":{"a":"t"}}', ['t', '{"__proto__":{}}']],
    ['message:/toString', '{}', 'the first message has no text at /toString'],
    ['message:/a/rawJSON', '{"a":1}', 'the first message has no text at /a/rawJSON'],
    ['message:/a', '{"a":""}', 'the first message has no text at /a'],
    ['message:/a', '{"a":"old","a":"t"}', ['t', '{}']],
    ['message:/a', 'null', 'the first message has no text at /a'],
    ['message:/a', '{"a":', 'the first message is no JSON'],
    ['message:/a', '['.repeat(16_000) + ']'.repeat(16_000), expect.stringMatching(/no JSON|no text/)],
    [
      'message:/a',
      '{"a":"t","n":1.0e2,"big":12345678901234567890}',
      ['t', '{"n":1.0e2,"big":12345678901234567890}'],
    ],
  ])('%s of %s', (source, message, expected) => expect(read(source, message)).toEqual(expected));

  test('without its token says what it said', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string({ minLength: 1 }), (rest, token) => {
        const message = JSON.stringify({ ...rest, token });
        const { tokens, bare } = formOf('message:/token').read(Buffer.from(message)) as Reading;
        expect(tokens).toEqual([token]);
        const { token: _, ...others } = JSON.parse(message);
        expect(JSON.parse(String(bare))).toEqual(others);
      }),
    );
  });
});

describe('a connection_init', () => {
  const init = (payload?: object) => JSON.stringify({ type: 'connection_init', payload });
  test.each([
    ['graphql-ws', init({ token: 't', a: 1 }), ['t', init({ a: 1 })]],
    ['graphql-ws', init({ Authorization: 'Bearer t' }), ['Bearer t', init({})]],
    ['graphql-ws', init({ token: 't', authorization: 'u' }), ['t', 'u', init({})]],
    ['graphql-ws:authToken', init({ token: 'u', authToken: 't' }), ['t', init({ token: 'u' })]],
    ['graphql-ws', init(), [init()]],
    ['graphql-ws', '{"type":"ping"}', 'the first message is no connection_init'],
    ['graphql-ws', '[]', 'the first message is no connection_init'],
  ])('%s of %s', (source, message, expected) => expect(read(source, message)).toEqual(expected));
});

describe('a CONNECT of Socket.IO', () => {
  test.each([
    ['socket.io', '40{"token":"t","x":1}', ['t', '40{"x":1}']],
    ['socket.io', '40/admin,{"token":"t"}', ['t', '40/admin,{}']],
    ['socket.io:jwt', '40{"token":"u","jwt":"t"}', ['t', '40{"token":"u"}']],
    ['socket.io', '40', ['40']],
    ['socket.io', '40/admin,', ['40/admin,']],
    ['socket.io', '42["hello"]', 'the first message is no CONNECT of Socket.IO'],
    ['socket.io', '40nonsense', 'the first message is no JSON'],
  ])('%s of %s', (source, message, expected) => expect(read(source, message)).toEqual(expected));

  test('is waited for on the terms that the service has named last', () => {
    const { greeting } = createSocketIoForm('');
    const said = () => JSON.parse(greeting?.say().slice(1) ?? '');
    expect(said()).toMatchObject({
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1e6,
    });
    expect(said().sid).not.toBe(said().sid);
    greeting?.heard('0{"sid":"x","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":5000}');
    expect(said()).toMatchObject({ pingInterval: 300, pingTimeout: 200, maxPayload: 5_000 });
    for (const wrong of ['2', '0', '0null', '4{}', ''])
      expect(() => greeting?.heard(wrong)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });

  test.each([
    ['EIO=4&transport=websocket', true],
    ['EIO=4&transport=websocket&sid=x', false],
    ['EIO=3&transport=websocket', false],
    ['EIO=4&transport=polling', false],
    [undefined, false],
  ])('can be waited for with %s: %s', (query, isFit) => {
    const unfit = formOf('socket.io').unfit?.(requestOf({ query }) as UpgradeRequest);
    expect(unfit === undefined).toBe(isFit);
  });
});

describe('a CONNECT of STOMP', () => {
  test.each([
    ['stomp', 'CONNECT\nlogin:a\npasscode:t\nhost:/\n\n\0', ['t', 'CONNECT\nlogin:a\nhost:/\n\n\0']],
    ['stomp', '\n\r\nSTOMP\r\nPasscode: t \r\n\r\n\0\n', ['t', 'STOMP\r\n\r\n\0\n']],
    ['stomp', 'CONNECT\npasscode:t\npasscode:u\n\n\0', ['t', 'u', 'CONNECT\n\n\0']],
    [
      'stomp:Authorization',
      'CONNECT\nAuthorization:Bearer t\n\n\0SEND\npasscode:x\n\n\0',
      ['Bearer t', 'CONNECT\n\n\0SEND\npasscode:x\n\n\0'],
    ],
    ['stomp', 'CONNECT\nlogin:a\n\n\0', ['CONNECT\nlogin:a\n\n\0']],
    ['stomp', 'CONNECT\npasscode:é\n\n\0', ['é', 'CONNECT\n\n\0']],
    ['stomp', 'CONNECT\npasscode:t\n', 'more'],
    ['stomp', '\n', 'more'],
    ['stomp', 'CONN', 'more'],
    ['stomp', 'CONNECT\nno end\0', 'the first message is a CONNECT of STOMP whose headers do not end'],
    ['stomp', 'SEND\n\n\0', 'the first message is no CONNECT of STOMP'],
    ['stomp', 'CONNECTED\n\n\0', 'the first message is no CONNECT of STOMP'],
    ['stomp', '{"a":1}', 'the first message is no CONNECT of STOMP'],
  ])('%s of %j', (source, message, expected) => expect(read(source, message)).toEqual(expected));

  test('that is refused is answered by an ERROR whose header is none but the sentence', () => {
    const reading = formOf('stomp').read(Buffer.from('CONNECT\n\n\0'));
    const error = new GatewayError('TOKEN_MISSING', { sentence: 'a\nb: \\' });
    expect(String(reading?.refusal?.(error))).toMatch(
      /^ERROR\nmessage:a\\nb\\c \\\\\ncontent-type:text\/plain\n\nTOKEN_MISSING: .*\0$/s,
    );
  });
});

describe('a CONNECT of MQTT', () => {
  const VERSIONS = [
    { protocolId: 'MQIsdp', protocolVersion: 3 },
    { protocolId: 'MQTT', protocolVersion: 4 },
    { protocolId: 'MQTT', protocolVersion: 4, bridgeMode: true },
    {
      protocolId: 'MQTT',
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 9, userProperties: { a: 'b' } },
    },
  ] as const;
  const WILLS = [undefined, { topic: 'end', payload: Buffer.from('now'), qos: 1 as const, retain: true }];
  const packets = fc.record({
    version: fc.constantFrom(...VERSIONS),
    will: fc.constantFrom(...WILLS),
    clientId: fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme-ascii' }),
    username: fc.string({ minLength: 1, maxLength: 200 }),
    token: fc.string({ minLength: 1, maxLength: 3_000, unit: 'grapheme-ascii' }),
    behind: fc.uint8Array({ maxLength: 20 }),
  });
  const bytesOf = ({ version, will, ...rest }: Record<string, unknown>) =>
    generate({
      cmd: 'connect',
      clean: true,
      keepalive: 30,
      ...(version as object),
      ...(will ? { will } : {}),
      ...rest,
    } as unknown as IConnectPacket);
  function parsed(bytes: Buffer): Record<string, unknown> {
    const found: Record<string, unknown>[] = [];
    const reader = parser();
    reader.on('packet', (packet) => found.push(packet as unknown as Record<string, unknown>));
    reader.parse(bytes);
    const { length: _, password, ...rest } = found[0] ?? {};
    return { ...rest, ...(password === undefined ? {} : { password: String(password) }) };
  }

  test('is read when it is whole, and is the same without its password', () => {
    fc.assert(
      fc.property(packets, ({ token, behind, ...fields }) => {
        const packet = bytesOf({ ...fields, password: token });
        const whole = Buffer.concat([packet, behind]);
        for (const end of [0, 1, 2, 3, packet.length - 1])
          expect(formOf('mqtt').read(whole.subarray(0, end))).toBe(undefined);
        const { tokens, bare } = formOf('mqtt').read(whole) as Reading;
        expect(tokens).toEqual([token]);
        const rest = bare.subarray(0, bare.length - behind.length);
        const { password: _, ...others } = parsed(packet);
        expect(parsed(rest)).toEqual(others);
        expect(bare.subarray(rest.length)).toEqual(Buffer.from(behind));
      }),
      { numRuns: 60 },
    );
  });

  test('is the same without its user’s name, which stays empty where a password needs one', () => {
    fc.assert(
      fc.property(packets, fc.boolean(), ({ token, behind: _, ...fields }, hasPassword) => {
        const packet = bytesOf({ ...fields, username: token, ...(hasPassword && { password: 'p' }) });
        const { tokens, bare } = formOf('mqtt:username').read(packet) as Reading;
        expect(tokens).toEqual([token]);
        const { username: _name, ...others } = parsed(packet);
        const { username = '', ...found } = parsed(bare);
        expect([username, found]).toEqual(['', others]);
        const isFlagged =
          ((bare[
            bare.indexOf(Buffer.from(String(fields.version.protocolId))) +
              fields.version.protocolId.length +
              1
          ] as number) &
            0x80) !==
          0;
        expect(isFlagged).toBe(hasPassword && fields.version.protocolVersion < 5);
      }),
      { numRuns: 60 },
    );
  });

  test('is anything, and nothing but TOKEN_MISSING comes of it', () => {
    const begun = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => Buffer.from([0x10, bytes.length, 0, 4, ...Buffer.from('MQTT'), ...bytes]));
    fc.assert(
      fc.property(
        fc.oneof(
          begun,
          fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          for (const source of ['mqtt', 'stomp', 'socket.io', 'graphql-ws', 'message:/a']) {
            try {
              formOf(source).read(bytes);
            } catch (error) {
              expect(error).toMatchObject({ code: 'TOKEN_MISSING' });
            }
          }
        },
      ),
    );
  });

  test.each([
    [4, 'TOKEN_INVALID', '20020004'],
    [4, 'FORBIDDEN', '20020005'],
    [4, 'UPSTREAM_REFUSED', '20020003'],
    [5, 'TOKEN_MISSING', '2003008600'],
    [5, 'FORBIDDEN', '2003008700'],
    [5, 'RATE_LIMITED', '2003008800'],
  ] as const)(
    'of version %s that is refused with %s is answered by its CONNACK',
    (protocolVersion, code, expected) => {
      const packet = bytesOf({ version: { protocolId: 'MQTT', protocolVersion }, clientId: 'a' });
      const answer = formOf('mqtt').read(packet)?.refusal?.(new GatewayError(code));
      expect(answer?.toString('hex')).toBe(expected);
    },
  );

  test.each([
    ['another packet', '3000', 'the first message is no CONNECT of MQTT'],
    [
      'a version that is not known',
      '100c00044d5154540602003c0000',
      'the first message is a CONNECT of an MQTT that is not known',
    ],
    ['a length of five bytes', '10ffffffff01', 'the first message is a CONNECT of MQTT that is malformed'],
    [
      'fields that do not fit',
      '100c00044d5154540402003c00ff',
      'the first message is a CONNECT of MQTT that is malformed',
    ],
  ])('is none where it is %s', (_, hex, expected) =>
    expect(read('mqtt', Buffer.from(hex, 'hex'))).toBe(expected),
  );
});
