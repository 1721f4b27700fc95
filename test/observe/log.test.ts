import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeKey } from '../../src/admission/keys/key.ts';
import { GatewayError } from '../../src/errors.ts';
import { RelayedAnswer } from '../../src/http/relayed-answer.ts';
import { createAccessLog, createLogger } from '../../src/observe/log.ts';
import { gatewayRequest, Sink, servedRecord, sessionRecord } from '../support/observe.ts';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  const sink = new Sink();
  write(createLogger({ destination: sink }));
  expect(sink.lines).toHaveLength(1);
  return sink.lines[0] as Record<string, unknown>;
}

function observed(observe: (log: ReturnType<typeof createAccessLog>) => void): Record<string, unknown> {
  return logged((logger) => observe(createAccessLog(logger)));
}

describe('createLogger', () => {
  test('writes one JSON object a line, with a time and the level by name', () => {
    const line = logged((logger) => logger.info({ port: 1 }, 'listening'));
    expect(line).toMatchObject({ level: 'info', port: 1, msg: 'listening' });
    expect(new Date(line.time as string).toISOString()).toBe(line.time);
  });

  test.each([
    'authorization',
    'Authorization',
    'Proxy-Authorization',
    'cookie',
    'Set-Cookie',
    'Sec-WebSocket-Protocol',
    'sec-websocket-key',
  ])('redacts %s, at the top, nested, and as a header pair', (name) => {
    const line = logged((logger) =>
      logger.info({
        [name]: 'hidden-1',
        request: { headers: { [name]: ['hidden-2'] } },
        raw: [[name, 'hidden-3']],
      }),
    );
    expect(JSON.stringify(line)).not.toContain('hidden');
    expect(line).toMatchObject({ [name]: '[redacted]', raw: [[name, '[redacted]']] });
  });

  test('redacts in the bindings of a child logger too', () => {
    const line = logged((logger) => logger.child({ cookie: 'hidden' }).info('x'));
    expect(line.cookie).toBe('[redacted]');
  });

  test('takes a JWT out of any text, cut short or not', () => {
    const line = logged((logger) =>
      logger.warn({ a: `bearer ${TOKEN}!`, b: 'x'.repeat(1000) + TOKEN, err: new Error(TOKEN) }, TOKEN),
    );
    expect(JSON.stringify(line)).not.toContain('eyJhbGci');
    expect(line).toMatchObject({ a: 'bearer [redacted]!', msg: '[redacted]' });
  });

  test('takes an API key out of any text, and leaves what only begins like one', () => {
    const key = makeKey();
    const line = logged((logger) =>
      logger.warn({ a: `/x/${key}/y`, b: 'sp_who', cut: key.slice(0, -8) }, key),
    );
    expect(line).toMatchObject({ a: '/x/[redacted]/y', b: 'sp_who', cut: '[redacted]', msg: '[redacted]' });
  });

  test('cuts texts at 1 KiB', () => {
    const line = logged((logger) =>
      logger.info({ path: 'p'.repeat(5000), deep: { text: 'q'.repeat(5000) } }),
    );
    expect(line.path).toBe(`${'p'.repeat(1024)}…`);
    expect((line.deep as { text: string }).text).toHaveLength(1025);
  });

  test('keeps any text on one line of printable characters', () => {
    const sink = new Sink();
    const logger = createLogger({ destination: sink });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (key, text) => {
        sink.text = '';
        logger.info({ list: [{ [`k${key}`]: text }], err: new Error(text) }, text);
        expect(sink.lines).toHaveLength(1);
        expect(sink.text.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  test('writes controls out, so that a terminal cannot be driven by them', () => {
    const line = logged((logger) => logger.info({ path: '/\u001b[2J\r\n\u2028\u202e' }));
    expect(line.path).toBe('/\\u{1b}[2J\\u{d}\\u{a}\\u{2028}\\u{202e}');
  });

  test('describes an error and its causes by type, message, code and stack only', () => {
    const cause = Object.assign(new Error('beneath'), { code: 'ECONNRESET', payload: { sub: 'hidden' } });
    const line = logged((logger) => logger.error({ err: new Error('above', { cause }) }));
    expect(line.err).toMatchObject({
      type: 'Error',
      message: 'above',
      stack: expect.stringContaining('log.test.ts'),
    });
    expect(line.err).toMatchObject({ cause: { message: 'beneath', code: 'ECONNRESET' } });
    expect(JSON.stringify(line)).not.toContain('hidden');
  });

  test('bounds depth, lists, binary data and circles', () => {
    const circle: Record<string, unknown> = {
      bytes: Buffer.alloc(5000),
      list: Array.from({ length: 5000 }, () => 0),
    };
    circle.self = circle;
    const line = logged((logger) => logger.info(circle));
    expect(line.bytes).toBe('[5000 bytes]');
    expect(line.list).toHaveLength(100);
    expect(JSON.stringify(line).length).toBeLessThan(5000);
  });

  test('leaves out what is below its level', () => {
    const sink = new Sink();
    const logger = createLogger({ level: 'warn', destination: sink });
    logger.info('no');
    logger.warn('yes');
    expect(sink.lines.map((line) => line.msg)).toEqual(['yes']);
  });

  test('writes a coloured line for people', async () => {
    const sink = new Sink();
    const logger = createLogger({ pretty: true, destination: sink });
    logger.info({ route: 'chat' }, 'session opened');
    await expect.poll(() => sink.text).toMatch(/INFO.*session opened.*chat/);
    expect(sink.text).toContain('\u001b[');
  });
});

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
    expect(observed((log) => log.opened(session))).toEqual({
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
});
