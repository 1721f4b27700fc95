import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { RelayedAnswer } from '../../src/http/relayed-answer.ts';
import { createAccessLog } from '../../src/observe/access-log.ts';
import type { Observer } from '../../src/observe/index.ts';
import { createLogger, type LoggerOptions } from '../../src/observe/log.ts';
import { gatewayRequest, Sink, servedRecord, sessionRecord } from '../support/observe.ts';

/** The lines that `observe` brings about. */
function lines(
  observe: (log: Observer) => void,
  access?: Parameters<typeof createAccessLog>[1],
  options: LoggerOptions = {},
): Record<string, unknown>[] {
  const sink = new Sink();
  observe(createAccessLog(createLogger({ ...options, destination: sink }), access));
  return sink.lines;
}

function observed(observe: (log: Observer) => void): Record<string, unknown> {
  const all = lines(observe);
  expect(all).toHaveLength(1);
  return all[0] as Record<string, unknown>;
}

describe('createAccessLog', () => {
  const session = sessionRecord({
    protocol: 'mqtt',
    up: { messages: 3, bytes: 30 },
    down: { messages: 4, bytes: 44 },
  });
  const who = {
    id: 's-1',
    route: 'chat',
    bridge: 'websocket',
    subject: 'ada',
    clientAddress: '203.0.113.7',
    peerAddress: '10.0.0.1',
    origin: 'https://app.example.com',
    host: 'app.example.com',
    path: '/chat/room',
    protocol: 'mqtt',
    target: '10.0.0.7:3000',
  };

  test('tells whose session opened', () => {
    expect(observed((log) => log.opened(session, {}))).toEqual({
      level: 'info',
      time: expect.any(String),
      ...who,
      msg: 'session opened',
    });
  });

  test('tells how a session ended, by whom, and what passed', () => {
    const ending = { code: 1000, reason: 'bye', by: 'client', clean: true } as const;
    expect(observed((log) => log.ended(session, ending, 1234.5))).toEqual({
      level: 'info',
      time: expect.any(String),
      ...who,
      durationMs: 1235,
      up: { messages: 3, bytes: 30 },
      down: { messages: 4, bytes: 44 },
      close: 1000,
      reason: 'bye',
      by: 'client',
      clean: true,
      msg: 'session ended',
    });
  });

  test.each([
    ['IDLE', 'info'],
    ['DRAINING', 'info'],
    ['MESSAGE_TOO_BIG', 'info'],
    ['UPSTREAM_LOST', 'warn'],
    ['INTERNAL', 'error'],
  ] as const)('an ending with %s is logged as %s', (code, level) => {
    const { close, message } = new GatewayError(code);
    const ending = { code: close, reason: message, by: 'gateway', clean: true } as const;
    expect(observed((log) => log.ended(session, ending, 1, { code, detail: 'why' }))).toMatchObject({
      level,
      error: code,
      detail: 'why',
      close,
    });
  });

  test('refusals and endings say where their failure is explained; an ending without one does not', () => {
    const help = 'config/ERRORS.md#token-expired';
    const ending = { code: 3000, reason: '', by: 'gateway', clean: false } as const;
    expect(observed((log) => log.ended(session, ending, 1, { code: 'TOKEN_EXPIRED' }))).toMatchObject({
      help,
    });
    expect(observed((log) => log.ended(session, ending, 1, {}))).not.toHaveProperty('help');
    const request = { id: 'r', kind: 'upgrade', peerAddress: '::1' } as const;
    expect(observed((log) => log.refused(request, new GatewayError('TOKEN_EXPIRED'), 1))).toMatchObject({
      help,
    });
  });

  test('an ending nobody foresaw is logged with its stack', () => {
    const ending = { code: 1011, reason: '', by: 'gateway', clean: true } as const;
    const line = observed((log) =>
      log.ended(session, ending, 1, { code: 'INTERNAL', cause: new TypeError('bug') }),
    );
    expect(line.err).toMatchObject({
      type: 'TypeError',
      message: 'bug',
      stack: expect.stringContaining('at '),
    });
  });

  test('any other cause is one line without a stack', () => {
    const cause = new Error('dial failed', {
      cause: Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
    });
    const ending = { code: 1014, reason: '', by: 'upstream', clean: true } as const;
    const line = observed((log) => log.ended(session, ending, 1, { code: 'UPSTREAM_LOST', cause }));
    expect(line.cause).toBe('dial failed: ECONNREFUSED');
    expect(line).not.toHaveProperty('err');
  });

  test.each([
    ['TOKEN_EXPIRED', 'info'],
    ['RATE_LIMITED', 'info'],
    ['UPSTREAM_TIMEOUT', 'warn'],
    ['KEYS_UNAVAILABLE', 'warn'],
    ['INTERNAL', 'error'],
  ] as const)('a refusal with %s is logged as %s', (code, level) => {
    const error = new GatewayError(code, { detail: 'why', cause: new Error('beneath') });
    const line = observed((log) =>
      log.refused({ id: 'r-1', kind: 'upgrade', peerAddress: '10.0.0.1', route: 'chat' }, error, 2),
    );
    expect(line).toMatchObject({
      level,
      id: 'r-1',
      route: 'chat',
      error: code,
      status: error.status,
      detail: 'why',
    });
    expect(line).toMatchObject({ durationMs: 2, msg: 'upgrade refused' });
  });

  test('a refusal carries the message of its cause, and the stack only if nobody foresaw it', () => {
    const request = { id: 'r-1', kind: 'request', peerAddress: '10.0.0.1' } as const;
    const cause = new Error('beneath');
    const expected = observed((log) => log.refused(request, new GatewayError('TOKEN_INVALID', { cause }), 1));
    expect(expected).toMatchObject({ cause: 'beneath', msg: 'request refused' });
    expect(expected).not.toHaveProperty('err');
    const unforeseen = observed((log) => log.refused(request, new GatewayError('INTERNAL', { cause }), 1));
    expect(unforeseen.err).toMatchObject({
      cause: { message: 'beneath', stack: expect.stringContaining('at ') },
    });
  });

  test('a relayed refusal is logged with the status the client got, without the body', () => {
    const error = new RelayedAnswer({
      status: 418,
      headers: [['x', 'hidden']],
      body: Buffer.from('hidden'),
    });
    const line = observed((log) => log.refused({ id: 'r', kind: 'upgrade', peerAddress: '::1' }, error, 1));
    expect(line.status).toBe(418);
    expect(JSON.stringify(line)).not.toContain('hidden');
  });

  test('never logs a query, even where the path could not be parsed', () => {
    const request = {
      id: 'r',
      kind: 'upgrade',
      peerAddress: '::1',
      path: '/feed?access_token=hidden',
    } as const;
    const line = observed((log) => log.refused(request, new GatewayError('BAD_REQUEST'), 1));
    expect(line.path).toBe('/feed');
    expect(JSON.stringify(line)).not.toContain('hidden');
  });

  test('tells of every target that was dialled in vain, each with its cause', () => {
    const request = { id: 'r-1', kind: 'upgrade', peerAddress: '::1' } as const;
    const refused = new GatewayError('UPSTREAM_REFUSED', {
      cause: new Error('connect ECONNREFUSED 10.0.0.7:80'),
    });
    const silent = new GatewayError('UPSTREAM_TIMEOUT', { detail: 'while connecting' });
    const error = new GatewayError('NO_HEALTHY_UPSTREAM');
    error.dials = [
      { target: '10.0.0.7:80', error: refused },
      { target: 'app:80/10.0.0.8', error: silent },
    ];
    expect(observed((log) => log.refused(request, error, 1))).toMatchObject({
      error: 'NO_HEALTHY_UPSTREAM',
      targets: [
        { target: '10.0.0.7:80', error: 'UPSTREAM_REFUSED', cause: 'connect ECONNREFUSED 10.0.0.7:80' },
        { target: 'app:80/10.0.0.8', error: 'UPSTREAM_TIMEOUT', detail: 'while connecting' },
      ],
    });
  });

  test('tells of a plain request, without its headers and query', () => {
    const request = gatewayRequest({ path: '/x', query: 'hidden', headers: [['cookie', 'hidden']] });
    const line = observed((log) => log.served(request, servedRecord({ bytes: 512 }), 3.2));
    expect(line).toMatchObject({
      level: 'info',
      id: 'r-1',
      route: 'site',
      target: '10.0.0.7:3000',
      method: 'GET',
      path: '/x',
      status: 200,
    });
    expect(line).toMatchObject({ bytes: 512, durationMs: 3, msg: 'request served' });
    expect(JSON.stringify(line)).not.toContain('hidden');
  });

  test('tells who asked for a plain request, over what, and how much passed each way', () => {
    const request = gatewayRequest({
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
      headers: [
        ['uSER-aGENT', 'curl/8.5.0'],
        ['Authorization', 'Bearer hidden'],
      ],
    });
    const served = servedRecord({ subject: 'ada', issuer: 'https://id.example.com/', requestBytes: 20 });
    expect(observed((log) => log.served(request, served, 1))).toMatchObject({
      subject: 'ada',
      issuer: 'https://id.example.com/',
      tls: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      userAgent: 'curl/8.5.0',
      bytes: 9,
      requestBytes: 20,
    });
  });

  test('tells of a refusal what was known by then', () => {
    const known = {
      method: 'POST',
      tls: 'TLSv1.2',
      cipher: 'ECDHE-RSA-AES128-GCM-SHA256',
      userAgent: 'Mozilla/5.0',
      target: '10.0.0.7:3000',
      subject: 'ada',
      issuer: 'https://id.example.com/',
    };
    const refused = { id: 'r', kind: 'request', peerAddress: '::1', ...known } as const;
    expect(observed((log) => log.refused(refused, new GatewayError('UPSTREAM_LOST'), 1))).toMatchObject(
      known,
    );
  });

  test.each([
    ['x'.repeat(5_000), `${'x'.repeat(200)}…`],
    ['evil\u001b[2J\u2028', 'evil\\u{1b}[2J\\u{2028}'],
    [`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln`, '[redacted]'],
    [`${'z'.repeat(180)}sp_${'a1-_'.repeat(12)}`, `${'z'.repeat(180)}[redacted]`],
    ['', ''],
  ])('the User-Agent %j is logged as %j', (sent, userAgent) => {
    const request = gatewayRequest({ headers: [['User-Agent', sent]] });
    expect(observed((log) => log.served(request, servedRecord(), 1)).userAgent).toBe(userAgent);
  });

  test('cuts an issuer and whatever a client writes', () => {
    const session = sessionRecord({ issuer: 'i'.repeat(2_000), subject: '\u001b' });
    const line = observed((log) => log.opened(session, {}));
    expect(line).toMatchObject({ issuer: `${'i'.repeat(200)}…`, subject: '\\u{1b}' });
    const served = servedRecord({ issuer: 'i'.repeat(2_000), subject: '\u001b' });
    expect(observed((log) => log.served(gatewayRequest(), served, 1))).toMatchObject({
      issuer: `${'i'.repeat(200)}…`,
      subject: '\\u{1b}',
    });
  });
});

describe('access', () => {
  const session = sessionRecord();
  const upgrade = { id: 'r', kind: 'upgrade', peerAddress: '::1' } as const;
  const plain = { id: 'r', kind: 'request', peerAddress: '::1' } as const;

  /** One of each kind: those without a fault first. */
  function observeAll(log: Observer): void {
    log.opened(session, {});
    log.ended(session, { code: 1000, reason: '', by: 'client', clean: true }, 1);
    log.ended(session, { code: 1006, reason: '', by: 'client', clean: false }, 1);
    log.ended(session, { code: 1001, reason: '', by: 'gateway', clean: true }, 1, { code: 'IDLE' });
    log.ended(session, { code: 1009, reason: '', by: 'gateway', clean: false }, 1, {
      code: 'MESSAGE_TOO_BIG',
    });
    log.ended(session, { code: 1011, reason: '', by: 'client', clean: true }, 1);
    log.refused(upgrade, new GatewayError('TOKEN_EXPIRED'), 1);
    log.refused(plain, new GatewayError('RATE_LIMITED'), 1);
    log.served(gatewayRequest(), servedRecord({ status: 499 }), 1);

    log.ended(session, { code: 1014, reason: '', by: 'upstream', clean: false }, 1, {
      code: 'UPSTREAM_LOST',
    });
    log.ended(session, { code: 1011, reason: '', by: 'upstream', clean: true }, 1);
    log.ended(session, { code: 1011, reason: '', by: 'gateway', clean: false }, 1, { code: 'INTERNAL' });
    log.refused(upgrade, new GatewayError('UPSTREAM_REFUSED'), 1);
    log.refused(plain, new GatewayError('DRAINING'), 1);
    log.served(gatewayRequest(), servedRecord({ status: 500 }), 1);
  }

  test('all: every line', () => {
    expect(lines(observeAll, 'all')).toHaveLength(15);
  });

  test('errors: what is a fault of the gateway or the upstream, which is what warns', () => {
    const kept = lines(observeAll, 'errors').map(({ level, msg, error, close, status }) =>
      [level, msg, error, close, status].filter((field) => field !== undefined).join(' '),
    );
    expect(kept).toEqual([
      'warn session ended UPSTREAM_LOST 1014',
      'warn session ended 1011',
      'error session ended INTERNAL 1011',
      'warn upgrade refused UPSTREAM_REFUSED 502',
      'warn request refused DRAINING 503',
      'warn request served 500',
    ]);
    expect(lines(observeAll, 'all').filter(({ level }) => level !== 'info')).toHaveLength(kept.length);
  });

  test('off: none', () => {
    expect(lines(observeAll, 'off')).toEqual([]);
  });

  test('the level decides, too', () => {
    expect(lines(observeAll, 'all', { level: 'error' })).toHaveLength(1);
  });
});
