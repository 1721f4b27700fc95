import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import zlib from 'node:zlib';

/** HTTP services that mean no good, or know no better: what they answer, byte by byte. */

type Hostility = (socket: Socket) => void;

const MiB = 2 ** 20;

/** Writes a piece again and again for as long as it is taken, behind `head`. */
function endless(head: string, piece: string | Buffer): Hostility {
  const bytes = Buffer.from(piece);
  const lot = Buffer.concat(Array(Math.ceil(32_768 / bytes.length)).fill(bytes));
  return function pour(socket) {
    const more = () => {
      while (!socket.destroyed && socket.write(lot));
    };
    socket.write(head);
    socket.on('drain', more);
    more();
  };
}

/** Answers, and ends the connection. */
function once(bytes: string | Buffer): Hostility {
  return (socket) => void socket.end(bytes);
}

const OK = 'HTTP/1.1 200 OK\r\n';

function whole(body: string | Buffer, fields = ''): Hostility {
  const head = `${OK}content-length: ${Buffer.byteLength(body)}\r\n${fields}\r\n`;
  return once(Buffer.concat([Buffer.from(head), Buffer.from(body)]));
}

const coded = (coding: string, body: Buffer) => whole(body, `content-encoding: ${coding}\r\n`);
const zeros = (size: number) => Buffer.alloc(size, '0');
/** A file in a format that allows several in a row. */
const manyFiles = (file: Buffer, count: number) => Buffer.concat(Array(count).fill(file));

function drip(socket: Socket): void {
  socket.write(`${OK}content-length: 1000000\r\n\r\n`);
  const timer = setInterval(() => socket.write('\n'), 20);
  socket.on('close', () => clearInterval(timer));
}

const json = (value: unknown) => whole(JSON.stringify(value), 'content-type: application/json\r\n');
const events = (text: string) => whole(text, 'content-type: text/event-stream\r\n');
const pushpin = (body: string | Buffer) => whole(body, 'content-type: application/websocket-events\r\n');

/** Answers that no session can go on with, whatever it speaks. */
export const UNIVERSAL: Readonly<Record<string, () => Hostility>> = {
  'endless-headers': () => endless(OK, 'x-more: and more\r\n'),
  'endless-header-line': () => endless(`${OK}x-more: `, 'and more '),
  'endless-body': () => endless(`${OK}\r\n`, 'x'),
  'endless-chunks': () => endless(`${OK}transfer-encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
  'endless-early-hints': () => endless('', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'),
  'endless-continue': () => endless('', 'HTTP/1.1 100 Continue\r\n\r\n'),
  'dripping-body': () => drip,
  'length-too-long': () => once(`${OK}content-length: 10\r\n\r\nabc`),
  'two-lengths': () => once(`${OK}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`),
  'no-chunk': () => once(`${OK}transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n`),
  'no-http': () => once('SSH-2.0-OpenSSH_9.2\r\n'),
  nothing: () => once(''),
  switching: () => once('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  redirect: () => once('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n'),
  'gzip-bomb': () => coded('gzip', manyFiles(zlib.gzipSync(zeros(4 * MiB)), 800)),
  'br-bomb': () =>
    coded(
      'br',
      zlib.brotliCompressSync(zeros(64 * MiB), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } }),
    ),
  'no-gzip': () => coded('gzip', Buffer.from('abc')),
  'many-codings': () => coded('gzip, gzip, gzip, gzip', Buffer.from('abc')),
  'body-of-a-204': () => once('HTTP/1.1 204 No Content\r\n\r\nhello'),
  'no-utf-8': () => whole(Buffer.from([0xc3, 0x28]), 'content-type: text/plain\r\n'),
};

const DEEP = '['.repeat(100_000) + ']'.repeat(100_000);

/** Answers to polls that expect `{ next, messages: [] }`. */
export const ANSWERS: Readonly<Record<string, () => Hostility>> = {
  ...Object.fromEntries(
    [null, 3, 'x', [], { messages: ['a'] }, { next: null, messages: ['a'] }, { next: {}, messages: ['a'] }]
      .concat([
        { next: true, messages: ['a'] },
        { next: ['1'], messages: ['a'] },
        { next: '1', messages: 'a' },
      ] as never)
      .concat([{ next: '1', messages: { length: 1, 0: 'a' } }] as never)
      .map((value) => [`json ${JSON.stringify(value)}`, () => json(value)]),
  ),
  'cursor-of-1MB': () => json({ next: 'x'.repeat(MiB), messages: ['a'] }),
  'cursor-with-line': () => json({ next: '1\r\nx-evil: 1', messages: ['a'] }),
  'cursor-beyond-ascii': () => json({ next: 'ü\u{1f600}\0', messages: ['a'] }),
  'cursor-unmoved': () => json({ next: '0', messages: ['a'] }),
  'prototype-cursor': () => whole('{"__proto__":{"next":"1"},"messages":["a"]}'),
  'deep-json': () => whole(`{"next":"1","messages":[${DEEP}]}`),
  'deep-json-with-digits': () => whole(`{"next":"1","d":1e5,"messages":[${DEEP}]}`),
  'million-items': () => whole(`{"next":"0","messages":[${'0,'.repeat(999_999)}0]}`),
};

/** Answers that are event streams. */
export const EVENTS: Readonly<Record<string, () => Hostility>> = {
  'endless-field': () => endless(`${OK}content-type: text/event-stream\r\n\r\ndata: `, 'x'),
  'endless-event': () => endless(`${OK}content-type: text/event-stream\r\n\r\n`, 'data: x\n'),
  'retry-in-years': () => events('retry: 999999999\nid: 1\ndata: a\n\n'),
  'id-of-1MB': () => events(`id: ${'x'.repeat(MiB)}\ndata: a\n\n`),
  'id-of-control-characters': () => events('id: a\u0001b\ndata: a\n\n'),
};

const EIO_OPEN = '0{"sid":"s","pingInterval":300,"pingTimeout":300,"maxPayload":1000000,"upgrades":[]}';

/** Answers that are lines of JSON. */
export const LINES: Readonly<Record<string, () => Hostility>> = {
  'endless-json-line': () => endless(`${OK}\r\n"`, 'x'),
  'no-json': () => whole('{"n":1\n'),
  'line-without-cursor': () => whole('{"n":{}}\n{"n":[1]}\n'),
};

/** Packets of Engine.IO. */
export const PACKETS: Readonly<Record<string, () => Hostility>> = {
  'million-packets': () => whole(`${'6\x1e'.repeat(1_000_000)}x`),
  'deep-open': () => whole(`${EIO_OPEN.slice(0, -1)},"deep":${DEEP}}`),
  'no-packet': () => whole('0{}'),
};

/** Events of WebSocket-over-HTTP. */
export const SOCKET_EVENTS: Readonly<Record<string, () => Hostility>> = {
  'million-events': () => pushpin('TEXT 0\r\n\r\n'.repeat(200_000)),
  'event-too-long': () => pushpin('TEXT ffffffff\r\nabc\r\n'),
  'endless-line': () => pushpin('X'.repeat(MiB)),
};

const ALL = { ...UNIVERSAL, ...ANSWERS, ...EVENTS, ...LINES, ...PACKETS, ...SOCKET_EVENTS };

/** What is said before the hostilities, to a request of a session that has to begin; undefined: nothing. */
function civil(url: URL, request: string): Hostility | undefined {
  const phase = url.searchParams.get('phase');
  if (phase === 'engine.io' && !url.searchParams.has('sid')) return whole(EIO_OPEN);
  if (phase === 'engine.io' && request.startsWith('POST')) return whole('ok');
  if (phase === 'websocket-over-http' && request.includes('\r\nOPEN\r\n')) return pushpin('OPEN\r\n');
  return undefined;
}

const made = new Map<string, Hostility>();

function hostilityOf(name: string): Hostility {
  const known = made.get(name) ?? ALL[name]?.() ?? once('');
  made.set(name, known);
  return known;
}

/** A service that answers as the `case` in the query of a request says, once its session has begun if it has a `phase`. */
export function hostileServer(): Server {
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      const request = String(bytes);
      const url = new URL(request.split(' ')[1] ?? '', 'http://service');
      (civil(url, request) ?? hostilityOf(url.searchParams.get('case') ?? ''))(socket);
    });
  });
}

// In a process of its own it prints its port.
if (process.argv[2] === 'serve') {
  // Some of it takes a while to make.
  for (const name of Object.keys(ALL)) hostilityOf(name);
  const server = hostileServer();
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
}
