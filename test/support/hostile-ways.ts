import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';
import { ANSWERS, EVENTS, LINES, PACKETS, SOCKET_EVENTS, UNIVERSAL } from './hostile.ts';
import { frame, handshake, TEXT } from './raw.ts';

/** The ways in which a gateway asks services that mean no good, and what becomes of the clients. */

/** Longer than any deadline below. */
const LONG_ENOUGH_MS = 3_000;
const SOON = { hold: '500ms', margin: '300ms' };
const TIMEOUT = '800ms';
const PATH = '/?case={case}';

export interface Way {
  readonly upstream: object;
  readonly phase?: string;
  /** The client's message is what the service answers. */
  readonly isAsked?: boolean;
  readonly cases: Readonly<Record<string, unknown>>;
  /** Absent: 1014. */
  readonly verdict?: string;
  /** Where it is another. */
  readonly others: Readonly<Record<string, string>>;
}

export const GOES_ON = 'goes on';
/** What is no answer is asked for again, until the service counts as out of order. */
const OUT_OF_ORDER = Object.fromEntries(
  ['endless-headers', 'endless-header-line', 'endless-early-hints', 'endless-continue', 'two-lengths']
    .concat(['no-http', 'nothing', 'switching'])
    .map((name) => [name, '1013']),
);
const CUT = ['length-too-long', 'no-chunk'];
const REFUSED = { verdict: 'HTTP 502', others: { 'dripping-body': 'HTTP 504', redirect: 'HTTP 302' } };

export const WAYS: Record<string, Way> = {
  polls: {
    upstream: {
      poll: {
        poll: { path: PATH, ...SOON },
        cursor: { from: 'json:/next', send: 'query:since', initial: '0' },
        messages: { framing: 'json-array', at: 'json:/messages' },
      },
    },
    cases: { ...UNIVERSAL, ...ANSWERS },
    others: {
      ...OUT_OF_ORDER,
      ...Object.fromEntries(CUT.map((name) => [name, '1013'])),
      // It holds the poll, as others do who send a heartbeat; and where there are no messages there are none.
      'dripping-body': GOES_ON,
      'body-of-a-204': GOES_ON,
      ...Object.fromEntries(['null', '3', '"x"', '[]'].map((text) => [`json ${text}`, GOES_ON])),
    },
  },
  streams: {
    upstream: {
      poll: {
        poll: { path: PATH, mode: 'stream', silence: TIMEOUT },
        cursor: { from: 'event:id', send: 'header:Last-Event-ID', initial: '0' },
        messages: { framing: 'sse' },
      },
    },
    cases: { ...UNIVERSAL, ...EVENTS },
    others: {
      ...OUT_OF_ORDER,
      // A stream may end at any time, and empty lines show that it lives.
      ...Object.fromEntries(CUT.map((name) => [name, GOES_ON])),
      'dripping-body': GOES_ON,
      'retry-in-years': GOES_ON,
      'body-of-a-204': '1000',
    },
  },
  'streams of lines': {
    upstream: {
      poll: {
        poll: { path: PATH, mode: 'stream', silence: TIMEOUT },
        cursor: { from: 'item:/n', send: 'query:since', initial: '0' },
        messages: { framing: 'ndjson' },
      },
    },
    cases: LINES,
    others: { 'line-without-cursor': GOES_ON },
  },
  posts: {
    upstream: { post: { path: PATH, timeout: TIMEOUT } },
    isAsked: true,
    cases: UNIVERSAL,
    others: { 'body-of-a-204': GOES_ON },
  },
  'posts that are answered by events': {
    upstream: { post: { path: PATH, timeout: TIMEOUT, response: 'sse' } },
    isAsked: true,
    cases: { ...UNIVERSAL, ...EVENTS },
    // Its lines are heartbeats, and nobody asks for ids or another time.
    others: Object.fromEntries(
      ['dripping-body', 'body-of-a-204', 'id-of-1MB', 'id-of-control-characters', 'retry-in-years'].map(
        (name) => [name, GOES_ON],
      ),
    ),
  },
  'engine.io': {
    upstream: { poll: { profile: 'engine.io', timeout: TIMEOUT } },
    phase: 'engine.io',
    cases: { ...UNIVERSAL, ...PACKETS },
    others: {},
  },
  'engine.io, as it opens': {
    upstream: { poll: { profile: 'engine.io', timeout: TIMEOUT } },
    cases: { ...UNIVERSAL, ...PACKETS },
    ...REFUSED,
  },
  'websocket-over-http': {
    upstream: { poll: { profile: 'websocket-over-http', path: '/', timeout: TIMEOUT } },
    phase: 'websocket-over-http',
    isAsked: true,
    cases: { ...UNIVERSAL, ...SOCKET_EVENTS },
    others: {},
  },
  'websocket-over-http, as it opens': {
    upstream: { poll: { profile: 'websocket-over-http', path: '/', timeout: TIMEOUT } },
    cases: { ...UNIVERSAL, ...SOCKET_EVENTS },
    ...REFUSED,
  },
};

export async function gatewayTo(port: number, { upstream }: Way): Promise<TestGateway> {
  const [[kind, session]] = Object.entries(upstream) as [[string, object]];
  const target = { target: `http://127.0.0.1:${port}`, outage: '300ms', responseSize: '2MiB', ...session };
  const route = {
    name: 'hostile',
    match: { path: '/{case}' },
    auth: 'none',
    timeouts: { handshake: TIMEOUT, close: '100ms' },
    upstream: { [kind]: target },
  };
  const gateway = await startGateway(`routes: [${JSON.stringify(route)}]`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** A client that says one thing, drops what it hears, and knows how that ended. */
export function verdictOf(gateway: TestGateway, name: string, { phase = '', isAsked }: Way): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const query = new URLSearchParams({ case: name, phase, EIO: '4', transport: 'websocket' });
  const socket = connect(gateway.port, '127.0.0.1');
  const timer = setTimeout(function onLongEnough() {
    resolve(GOES_ON);
    socket.destroy();
  }, LONG_ENOUGH_MS);
  onTestFinished(() => void socket.destroy());
  let status = '';
  let last = Buffer.alloc(0);
  socket.write(handshake(`/${encodeURIComponent(name)}?${query}`));
  socket.on('error', () => {});
  socket.on('data', function onData(bytes) {
    if (status === '') {
      status = String(bytes).split(' ')[1] ?? '';
      if (status === '101' && isAsked) socket.write(frame(TEXT, 'a'));
    }
    last = Buffer.concat([last, bytes]).subarray(-200);
  });
  socket.on('close', function onClose() {
    clearTimeout(timer);
    resolve(status === '101' ? closeIn(last) : `HTTP ${status}`);
  });
  return promise;
}

/** The code of the Close that bytes end with. */
function closeIn(bytes: Buffer): string {
  const at = bytes.findLastIndex(
    (byte, index) => byte === 0x88 && bytes[index + 1] === bytes.length - index - 2,
  );
  return at < 0 ? 'no code' : String(bytes.readUInt16BE(at + 2));
}

/** What is to become of the clients of services that do this. */
export function expected(
  { verdict = '1014', others }: Way,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, others[name] ?? verdict]));
}
