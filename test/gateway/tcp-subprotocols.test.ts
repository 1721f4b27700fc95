import { describe, expect, test } from 'vitest';
import { freshToken } from '../support/fresh.ts';
import { handshake, say } from '../support/raw.ts';
import { echo, type Scene, tcpScene } from '../support/tcp-v1-scene.ts';

/** Which subprotocol the 101 of a TCP route names, and what becomes of pages to which it could name none. */

const PAGE = { Origin: 'http://127.0.0.1' };
const TOKEN = freshToken();
const GUARDED = '{ issuer: main, token: [header, subprotocol] }';
const BEARER = { Authorization: `Bearer ${TOKEN}` };

async function scene(changes: Scene = {}) {
  let dials = 0;
  const { gateway } = await tcpScene((socket) => {
    dials++;
    echo(socket);
  }, changes);
  async function ask(protocols: string, headers: Record<string, string> = {}) {
    const wire = await say(
      gateway.port,
      handshake('/tcp', { 'Sec-WebSocket-Protocol': protocols, ...headers }),
    );
    const { status, headers: fields, body } = await wire.answer();
    wire.socket.destroy();
    return { status, body, named: fields['sec-websocket-protocol'], close: wire.close };
  }
  return { gateway, ask, dials: () => dials };
}

describe('a page that offers none that is known', () => {
  test('is refused before the service is dialled, and the log says what it offered', async () => {
    const { ask, dials, gateway } = await scene({ upstream: ', protocols: [lines.v1]' });
    const { status, body } = await ask('mqtt, mqttv3.1', PAGE);
    expect([status, body.trim()]).toEqual([
      400,
      'PROTOCOL_UNKNOWN: None of the subprotocols that were offered is known here: `protocols` of the route lists them.',
    ]);
    expect(dials()).toBe(0);
    const line = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(line).toMatchObject({
      error: 'PROTOCOL_UNKNOWN',
      detail: 'offered: mqtt, mqttv3.1; known: binary, lines.v1',
    });
  });

  test('reads why where refusals are told by a Close', async () => {
    const { ask, dials } = await scene({ route: 'refuse: close,' });
    expect(await ask('mqtt', PAGE)).toMatchObject({ status: 101, named: 'mqtt' });
    expect(dials()).toBe(0);
  });

  test.each([
    [
      'has nothing named in the log that may be a token',
      `x-bearer.${TOKEN}, ${TOKEN}, mqtt`,
      'offered: mqtt; known: binary',
    ],
    [
      'sees no more than eight of them there',
      'a, b, c, d, e, f, g, h, i',
      'offered: a, b, c, d, e, f, g, h; known: binary',
    ],
  ])('%s', async (_, offered, detail) => {
    const { ask, gateway } = await scene();
    expect(await ask(offered, PAGE)).toMatchObject({ status: 400 });
    const line = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(line.detail).toBe(detail);
    expect(JSON.stringify(gateway.log)).not.toContain(TOKEN);
  });

  test('is let in where its token is answered', async () => {
    const { ask } = await scene({ auth: GUARDED });
    expect(await ask(`mqtt, bearer, ${TOKEN}`, PAGE)).toMatchObject({ status: 101, named: 'bearer' });
  });

  test('is let in where it offers nothing but a token that the route has not asked for', async () => {
    const { ask } = await scene();
    expect(await ask(`authorization.bearer.${TOKEN}`, PAGE)).toMatchObject({ status: 101, named: undefined });
  });
});

test('a program that offers none that is known is let in, none is named, and the log says what it offered', async () => {
  const { ask, gateway } = await scene();
  expect(await ask(`mqtt, ${TOKEN}`)).toMatchObject({ status: 101, named: undefined });
  const line = await gateway.logged(({ msg }) => msg === 'session opened');
  expect([line.protocol, line.offered]).toEqual([undefined, 'mqtt']);
});

describe('any', () => {
  test.each<[string, string, Record<string, string>, string | undefined]>([
    ['the first that is offered', 'mqtt, mqttv3.1', PAGE, 'mqtt'],
    ['a program’s, too', 'v12.stomp, v11.stomp', {}, 'v12.stomp'],
    ['no token that passes', `bearer, ${TOKEN}, mqtt`, PAGE, 'mqtt'],
    [
      'no token of another form',
      `x-bearer.abc, authorization.bearer.abc, mqtt`,
      { ...PAGE, ...BEARER },
      'mqtt',
    ],
    ['nothing long', `${'x'.repeat(33)}, mqtt`, { ...PAGE, ...BEARER }, 'mqtt'],
    [
      'not the protocol of our own clients, which it would not speak',
      'sallyport.tcp.v1, mqtt',
      { ...PAGE, ...BEARER },
      'mqtt',
    ],
  ])('names %s', async (_, offered, headers, named) => {
    const auth = headers.Authorization ? '{ issuer: main, token: [header] }' : 'none';
    const { ask } = await scene({ auth, upstream: ', protocols: any, tcpProtocol: off' });
    expect(await ask(offered, headers)).toMatchObject({ status: 101, named });
  });
});

test.each([
  ['text.ircv3.net', 'text.ircv3.net'],
  ['binary.ircv3.net, text.ircv3.net', 'binary.ircv3.net'],
  ['binary', 'binary'],
])('where messages are lines, %s is known', async (offered, named) => {
  const { ask } = await scene({ upstream: ', frames: lines' });
  expect(await ask(offered, PAGE)).toMatchObject({ status: 101, named });
});
