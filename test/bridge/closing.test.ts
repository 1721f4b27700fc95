import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ErrorCode, GatewayError } from '../../src/errors.ts';
import { resetSocket } from '../../src/stream/reset.ts';
import { BINARY, CLOSE, frame, TEXT } from '../support/raw.ts';
import { BRIDGES, type BridgeName, pour, type Told } from '../support/services.ts';
import { openStage, type RouteName, type Scene, type Stage } from '../support/stage.ts';
import { mint, signingKey } from '../support/tokens.ts';

/** Every row of the table in bridge/closing.ts, on every bridge, between real sockets and through a whole gateway. */

/** No Close, however the connection ended. */
type Heard = Told | 'no Close';

interface Row {
  readonly event: string;
  /** All three unless said. */
  readonly bridges?: readonly BridgeName[];
  readonly route?: RouteName;
  readonly act: (scene: Scene, stage: Stage) => unknown;
  readonly client: Heard;
  /** What a WebSocket upstream hears; a TCP service hears `tcp`, an HTTP service is always asked to close. */
  readonly upstream: Heard;
  readonly tcp?: Told;
  /** What of the client's payload reaches the service all the same. */
  readonly got?: string;
  readonly log: {
    readonly close: number;
    readonly by: string;
    readonly error?: ErrorCode;
    readonly clean: boolean;
    readonly level?: 'warn';
  };
}

const word = (code: ErrorCode, close = new GatewayError(code).close): Told => [
  close,
  new GatewayError(code).message,
];
/** The sentence about the limit of the route `metered`. */
const RATE = 'Too many messages per connection; slow down.';
const broken = (by: string, error: ErrorCode) => ({
  close: new GatewayError(error).close,
  by,
  error,
  clean: false,
});
const byUpstream = (error: ErrorCode) => ({ ...broken('upstream', error), level: 'warn' as const });
const graceful = (error: ErrorCode) => ({ ...broken('gateway', error), clean: true });

/** A Close of the client: a WebSocket upstream answers it, in place of others the gateway does. */
function clientCloses(code: number, tcp: Told): Row[] {
  const reason = code === 1005 ? '' : 'done';
  const same = {
    event: `the client sends Close ${code}`,
    act: ({ client }: Scene) => (code === 1005 ? client.send(CLOSE) : client.sendClose(code, reason)),
    log: { close: code, by: 'client', clean: true },
  };
  return [
    { ...same, bridges: ['websocket'], client: [code, ''], upstream: [code, reason] },
    { ...same, bridges: ['tcp', 'poll'], client: [code, reason], upstream: 'no Close', tcp },
  ];
}

const ROWS: readonly Row[] = [
  ...clientCloses(1000, 'fin'),
  ...clientCloses(1001, 'fin'),
  ...clientCloses(1005, 'fin'),
  ...clientCloses(1011, 'reset'),
  ...clientCloses(4321, 'reset'),
  {
    event: 'the upstream sends a Close',
    bridges: ['websocket'],
    act: ({ service }) => service.close(),
    client: [4000, 'that was all'],
    upstream: [4000, ''],
    log: { close: 4000, by: 'upstream', clean: true },
  },
  {
    event: 'the service sends a FIN',
    bridges: ['tcp'],
    act: ({ service }) => service.close(),
    client: [1000, 'The upstream closed the connection.'],
    upstream: 'no Close',
    tcp: 'fin',
    log: { close: 1000, by: 'upstream', clean: true },
  },
  {
    event: 'the service answers that the session is over',
    bridges: ['poll'],
    act: ({ service }) => service.close(),
    client: [1014, 'The service answered 410 to a poll.'],
    upstream: 'no Close',
    log: byUpstream('SERVICE_REFUSED'),
  },
  {
    event: 'the client sends a FIN',
    act({ client }) {
      client.polite = false;
      client.socket.end();
    },
    client: 'fin',
    upstream: word('CLIENT_LOST', 1001),
    log: { close: 1006, by: 'client', clean: false },
  },
  {
    event: 'the client resets',
    act: ({ client }) => resetSocket(client.socket),
    client: 'no Close',
    upstream: word('CLIENT_LOST', 1001),
    log: { close: 1006, by: 'client', clean: false },
  },
  {
    event: 'the upstream resets',
    bridges: ['websocket', 'tcp'],
    act: ({ service }) => service.reset(),
    client: word('UPSTREAM_LOST'),
    upstream: 'no Close',
    log: byUpstream('UPSTREAM_LOST'),
  },
  {
    event: 'the service resets every request',
    bridges: ['poll'],
    act: ({ service }) => service.reset(),
    client: word('UPSTREAM_OUTAGE'),
    upstream: 'no Close',
    log: byUpstream('UPSTREAM_OUTAGE'),
  },
  {
    event: 'the client breaks the protocol',
    act: ({ client }) => client.send(BINARY, 'x', { rsv: 2 }),
    client: word('PROTOCOL_ERROR'),
    upstream: word('PROTOCOL_ERROR', 1001),
    log: broken('client', 'PROTOCOL_ERROR'),
  },
  {
    event: 'the client sends a Close whose reason is not UTF-8',
    act: ({ client }) => client.sendClose(1000, Buffer.from([0xff])),
    client: word('INVALID_PAYLOAD'),
    upstream: word('INVALID_PAYLOAD', 1001),
    log: broken('client', 'INVALID_PAYLOAD'),
  },
  {
    event: 'the client sends a text that is not UTF-8',
    bridges: ['poll'],
    act: ({ client }) => client.send(TEXT, Buffer.from([0xff])),
    client: word('INVALID_PAYLOAD'),
    upstream: 'no Close',
    log: broken('client', 'INVALID_PAYLOAD'),
  },
  {
    event: 'the upstream breaks the protocol',
    bridges: ['websocket', 'poll'],
    act: ({ service }) => service.breakProtocol(),
    client: word('UPSTREAM_INVALID'),
    upstream: word('PROTOCOL_ERROR'),
    log: byUpstream('UPSTREAM_INVALID'),
  },
  {
    event: 'the client announces a message that is too big',
    route: 'small',
    act: ({ client }) => client.send(BINARY, '', { length: 101 }),
    client: [1009, 'The message is too big: at most 100 bytes.'],
    upstream: [1001, 'The message is too big: at most 100 bytes.'],
    log: broken('gateway', 'MESSAGE_TOO_BIG'),
  },
  {
    event: 'the client sends too many fragments',
    route: 'small',
    act({ client }) {
      client.send(BINARY, '', { fin: false });
      for (let i = 0; i < 3; i++) client.send(0, '', { fin: false });
    },
    client: [1009, 'The message is too big: at most 4 frames.'],
    upstream: [1001, 'The message is too big: at most 4 frames.'],
    log: broken('gateway', 'MESSAGE_TOO_BIG'),
  },
  {
    event: 'the client sends text where there is none',
    bridges: ['tcp'],
    act: ({ client }) => client.send(TEXT, 'x'),
    client: word('UNSUPPORTED_DATA'),
    upstream: 'no Close',
    log: broken('gateway', 'UNSUPPORTED_DATA'),
  },
  {
    event: 'the client exceeds its rate',
    route: 'metered',
    act: ({ client }) => client.write(Buffer.concat(['a', 'b', 'c'].map((text) => frame(BINARY, text)))),
    got: 'ab',
    client: [1008, RATE],
    upstream: [1001, RATE],
    log: broken('gateway', 'RATE_LIMITED'),
  },
  {
    event: 'the client stalls',
    route: 'stalled',
    async act({ client, service, ended }) {
      client.socket.pause();
      service.flood();
      await ended();
      client.socket.resume();
    },
    client: 'no Close',
    upstream: word('PEER_STALLED', 1001),
    log: broken('gateway', 'PEER_STALLED'),
  },
  {
    event: 'the upstream stalls',
    bridges: ['websocket', 'tcp'],
    route: 'stalled',
    async act({ client, service, ended }) {
      service.stall();
      pour(client, frame(BINARY, Buffer.alloc(64 * 1024)));
      await ended();
    },
    client: word('PEER_STALLED'),
    upstream: 'no Close',
    log: broken('gateway', 'PEER_STALLED'),
  },
  {
    event: 'the service leaves a message unanswered',
    bridges: ['poll'],
    route: 'stalled',
    act({ client, service }) {
      service.stall();
      client.send(BINARY, 'x');
    },
    client: word('UPSTREAM_TIMEOUT'),
    upstream: 'no Close',
    log: byUpstream('UPSTREAM_TIMEOUT'),
  },
  {
    event: 'the client is silent',
    route: 'kept',
    act({ client }) {
      client.polite = false;
    },
    client: word('PEER_SILENT'),
    upstream: word('PEER_SILENT', 1001),
    log: broken('gateway', 'PEER_SILENT'),
  },
  {
    event: 'the upstream is silent',
    bridges: ['websocket'],
    route: 'kept',
    act: ({ service }) => service.fallSilent(),
    client: word('UPSTREAM_TIMEOUT'),
    upstream: word('UPSTREAM_TIMEOUT'),
    log: byUpstream('UPSTREAM_TIMEOUT'),
  },
  {
    event: 'the token expires',
    route: 'expiring',
    act() {},
    client: word('TOKEN_EXPIRED'),
    upstream: word('TOKEN_EXPIRED'),
    log: broken('gateway', 'TOKEN_EXPIRED'),
  },
  {
    event: 'the connection is idle',
    route: 'idle',
    act() {},
    client: word('IDLE'),
    upstream: word('IDLE'),
    log: graceful('IDLE'),
  },
  {
    event: 'the connection has lived long enough',
    route: 'old',
    act() {},
    client: word('LIFETIME'),
    upstream: word('LIFETIME'),
    log: graceful('LIFETIME'),
  },
  {
    event: 'the gateway shuts down',
    act: (_scene, { gateway }) => gateway.close(),
    client: word('GOING_AWAY'),
    upstream: word('GOING_AWAY'),
    log: graceful('GOING_AWAY'),
  },
];

const CELLS = ROWS.flatMap((row) =>
  (row.bridges ?? BRIDGES).map((bridge) => [`${bridge}: ${row.event}`, bridge, row] as const),
);

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** A token that is valid for a moment. */
function shortLived(): Record<string, string> {
  const exp = Math.ceil((Date.now() + 100) / 1000);
  return { Authorization: `Bearer ${mint(signingKey('HS256'), { exp })}` };
}

async function heardBy(client: Scene['client']): Promise<Heard> {
  const close = await client.ended();
  return close ? [close.code, close.reason] : (client.end as 'fin' | 'reset');
}

function expectHeard(heard: Heard, expected: Heard): void {
  if (expected === 'no Close') expect(['fin', 'reset']).toContain(heard);
  else expect(heard).toEqual(expected);
}

// The test's own hook: the global one is another test's by the time a stage is open.
test.concurrent.for(CELLS)('%s', async ([_name, bridge, row], { onTestFinished }) => {
  const { route = 'plain', act, client, upstream, tcp, got, log } = row;
  const own = log.error === 'GOING_AWAY' ? await openStage() : stage;
  onTestFinished(() => (own === stage ? undefined : own[Symbol.asyncDispose]()));
  const scene = await own.play(bridge, route, route === 'expiring' ? shortLived() : {});
  await act(scene, own);
  expectHeard(await heardBy(scene.client), client);
  const toService = { websocket: upstream, tcp: tcp ?? 'reset', poll: 'asked to close' } as const;
  expectHeard(await scene.service.told(), toService[bridge]);
  if (got !== undefined) expect(scene.service.got).toBe(got);
  expect(await scene.ended()).toMatchObject({ level: 'info', ...log });
  // What is not there says as much.
  expect((await scene.ended()).error).toBe(log.error);
});
