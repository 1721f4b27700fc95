import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openSocket } from '../../src/upstream/connect.ts';
import { type Offer, openWebSocket } from '../../src/upstream/handshake.ts';
import { startUpstream } from '../support/faulty.ts';
import { switching, type Wire } from '../support/raw.ts';

const OFFER: Offer = { target: '/x?y=1', headers: [['host', 'a']], protocols: [], deflate: undefined };

/** Shakes hands with an upstream that answers with what `reply` makes of the request, in these pieces; an empty one is its FIN. */
async function shake(
  reply: (head: string) => readonly string[],
  offer: Partial<Offer> = {},
  { signal } = new AbortController(),
) {
  await using upstream = await startUpstream(async function onWire(wire: Wire) {
    await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a handshake');
    for (const piece of reply(wire.head ?? '')) {
      if (piece === '') wire.socket.end();
      else wire.write(Buffer.from(piece, 'latin1'));
      await new Promise(setImmediate);
    }
  });
  const socket = await openSocket({ host: '127.0.0.1', port: upstream.port }, signal);
  try {
    const opened = await openWebSocket(socket, { ...OFFER, ...offer }, signal);
    const { head, protocol, fields } = opened;
    return { head: head.toString('latin1'), protocol, fields, request: upstream.wires[0]?.head };
  } finally {
    socket.destroy();
  }
}

test('asks for what is offered, with a key of its own each time', async () => {
  const offer = { protocols: ['a', 'b'], deflate: 'permessage-deflate', headers: [['x-n', 'é']] } as const;
  const [one, two] = [
    await shake((head) => [switching(head)], offer),
    await shake((head) => [switching(head)]),
  ];
  const key = /\r\nSec-WebSocket-Key: ([A-Za-z0-9+/]{22}==)\r\n/;
  expect(one.request?.replace(key, '\r\nKEY\r\n')).toBe(
    'GET /x?y=1 HTTP/1.1\r\nx-n: é\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'KEY\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
  );
  expect(key.exec(one.request ?? '')?.[1]).not.toBe(key.exec(two.request ?? '')?.[1]);
});

test.each<[string, Partial<Offer>]>([
  ['a field', { headers: [['x-a', 'b\r\nx-c: d']] }],
  ['a name', { headers: [['x-a: b\r\nx-c', 'd']] }],
  ['a target', { target: '/x HTTP/1.1\r\nx-a: b' }],
  ['a subprotocol', { protocols: ['a\r\nb'] }],
])('sends nothing if %s holds a line break', async (_name, offer) => {
  await expect(shake(() => [], offer)).rejects.toThrow('for an upstream');
});

describe('takes a 101', () => {
  test('in two pieces, cut anywhere', async () => {
    const { length } = switching('sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n');
    for (let cut = 1; cut < length; cut += 7) {
      const answer = (head: string) => [
        switching(head).slice(0, cut),
        `${switching(head).slice(cut)}\x81\x01a`,
      ];
      expect((await shake(answer)).head).toBe('\x81\x01a');
    }
  });

  test('behind interim answers', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    expect(await shake((head) => [interim + switching(head)])).toMatchObject({ head: '' });
    expect(await shake((head) => [interim, switching(head)])).toMatchObject({ head: '' });
  });

  test('with fields of its own, as sent, and with a Content-Length of 0', async () => {
    const extra =
      'Set-Cookie: a=b\r\nContent-Length: 0\r\nset-cookie: c=d\r\nX-NAME: \xe9\r\nKeep-Alive: timeout=1\r\n';
    expect((await shake((head) => [switching(head, extra)])).fields).toEqual([
      ['Set-Cookie', 'a=b'],
      ['set-cookie', 'c=d'],
      ['X-NAME', '\xe9'],
    ]);
  });

  test('with the fields that the offer lets through', async () => {
    const offer = { answerFields: (raw: readonly string[]) => raw.slice(0, 2) };
    const { fields } = await shake((head) => [switching(head)], offer);
    expect(fields).toEqual([['Upgrade', 'websocket']]);
  });
});

describe('refuses', () => {
  test.each<[string, string, (head: string) => readonly string[]]>([
    ['a 101 with a length', 'UPSTREAM_INVALID', (head) => [switching(head, 'Content-Length: 2\r\n')]],
    ['a 101 in chunks', 'UPSTREAM_INVALID', (head) => [switching(head, 'Transfer-Encoding: chunked\r\n')]],
    [
      'two Accepts',
      'UPSTREAM_INVALID',
      (head) => [switching(head, /Sec-WebSocket-Accept.*\r\n/.exec(switching(head))?.[0])],
    ], // prettier
    ['a 101 of HTTP/1.0', 'UPSTREAM_INVALID', (head) => [switching(head).replace('1.1', '1.0')]],
    ['an answer of HTTP/0.9', 'UPSTREAM_INVALID', () => ['<p>Hello</p>\n']],
    ['an end in the middle of a 101', 'UPSTREAM_LOST', (head) => [switching(head).slice(0, 30), '']],
    ['an end in the middle of another answer', 'UPSTREAM_LOST', () => ['HTTP/1.1 404 No\r\nA: ', '']],
  ])('%s', async (_name, code, reply) => {
    const ended = shake((head) => [...reply(head)]).catch((error: unknown) => error);
    expect(await ended).toMatchObject({ code });
  });
});

test.each<[string, readonly string[]]>([
  ['at the first byte', []],
  ['in the middle of a 101', ['HTTP/1.1 101 Switching']],
  ['in the middle of another head', ['HTTP/1.1 403 No\r\nA: ']],
])('does not wait for longer than the signal lets it: %s', async (_name, pieces) => {
  const deadline = new AbortController();
  function reply(): readonly string[] {
    setImmediate(() => deadline.abort());
    return pieces;
  }
  await expect(shake(reply, {}, deadline)).rejects.toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
});

test('leaves no timer when a body is cut', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const cut = shake(() => ['HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbo', '']);
  await expect(cut).rejects.toMatchObject({ code: 'UPSTREAM_LOST' });
  expect(vi.getTimerCount()).toBe(0);
});

test.each<[string, readonly string[]]>([
  ['a length', ['HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbo', 'dy']],
  ['chunks', ['HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n', '1\r\ny\r\n0\r\n\r\n']],
  ['a body up to the end', ['HTTP/1.1 403 No\r\n\r\nbo', 'dy', '']],
  ['a body up to the end, all at once', ['HTTP/1.1 403 No\r\n\r\nbody', '']],
  [
    'a body up to the end of a connection that is closed',
    ['HTTP/1.1 403 No\r\nConnection: close\r\n\r\nbody', ''],
  ],
  ['HTTP/1.0', ['HTTP/1.0 403 No\r\nContent-Length: 4\r\n\r\nbody']],
  [
    'an interim answer before it',
    ['HTTP/1.1 103 x\r\nA: b\r\n\r\n', 'HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbody'],
  ],
  ['its head in pieces', ['HTT', 'P/1.1 40', '3 No\r\nContent-', 'Length: 4\r\n\r\nbody']],
])('relays an answer with %s', async (_name, pieces) => {
  const answer = { status: 403, headers: [], body: Buffer.from('body') };
  await expect(shake(() => pieces)).rejects.toMatchObject({ code: 'FORBIDDEN', answer });
});
