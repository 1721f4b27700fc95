import { afterEach, describe, expect, test } from 'vitest';
import { answer, postRoute, profileOf, said, sendsOf } from '../../support/codec.ts';
import { closeOf, fixtures, inboxOf, type ServiceRequest, until } from '../../support/poll.ts';

const { service, harness, undo } = fixtures();
afterEach(undo);

const AWS = { profile: 'aws' };
const ROUTED = { ...AWS, routes: { keys: ['join', '7'] } };

function eventIn(request: { body?: string | Buffer } | undefined) {
  return JSON.parse(String(request?.body));
}

function routeOf(text: string, binary = false): string {
  const request = sendsOf(profileOf(ROUTED)).send([{ data: Buffer.from(text), binary }], 1);
  return eventIn(request).requestContext.routeKey;
}

describe('an event', () => {
  test('of a client that wants to connect holds its handshake', () => {
    const grant = { subject: 'alice', claims: { sub: 'alice', a: [1] }, releases: [] };
    const request = profileOf(AWS, {
      grant,
      query: 'a=1&a=2&b=',
      protocols: ['p', 'q'],
      upstreamHeaders: [
        ['User-Agent', 'ua'],
        ['Accept', 'x'],
        ['Accept', 'y'],
      ],
    }).open();
    expect(request).toMatchObject({
      method: 'POST',
      path: '',
      headers: { 'content-type': 'application/json' },
    });
    expect(eventIn(request)).toEqual({
      requestContext: {
        eventType: 'CONNECT',
        routeKey: '$connect',
        connectionId: 'c-1',
        connectedAt: expect.any(Number),
        domainName: 'app.example',
        stage: '$default',
        apiId: 'sallyport',
        identity: { sourceIp: '192.0.2.7', userAgent: 'ua' },
        authorizer: { principalId: 'alice', claims: { sub: 'alice', a: [1] } },
        messageDirection: 'IN',
        requestId: expect.any(String),
        extendedRequestId: expect.any(String),
        requestTime: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
        requestTimeEpoch: expect.any(Number),
      },
      isBase64Encoded: false,
      headers: { Host: 'a.example', 'User-Agent': 'ua', Accept: 'y', 'Sec-WebSocket-Protocol': 'p, q' },
      multiValueHeaders: {
        Host: ['a.example'],
        'User-Agent': ['ua'],
        Accept: ['x', 'y'],
        'Sec-WebSocket-Protocol': ['p, q'],
      },
      queryStringParameters: { a: '2', b: '' },
      multiValueQueryStringParameters: { a: ['1', '2'], b: [''] },
    });
  });

  test('says what the configuration says', () => {
    const names = { domain: 'd.example', stage: 'prod', apiId: 'x1' };
    const request = profileOf({ ...AWS, ...names, path: '/run?a=1' }).open();
    expect(request?.path).toBe('/run?a=1');
    const { requestContext } = eventIn(request);
    expect(requestContext).toMatchObject({ domainName: 'd.example', stage: 'prod', apiId: 'x1' });
    expect(requestContext).not.toHaveProperty('authorizer');
  });

  test('of a message holds it, and has a name', () => {
    const sends = sendsOf(profileOf(AWS));
    const [first, second] = [1, 2].map((seq) => eventIn(sends.send([said('hé')], seq)));
    expect(first).toMatchObject({
      requestContext: { eventType: 'MESSAGE', routeKey: '$default', messageDirection: 'IN' },
      body: 'hé',
      isBase64Encoded: false,
    });
    expect(first).not.toHaveProperty('headers');
    for (const name of ['messageId', 'requestId'])
      expect(first.requestContext[name]).not.toBe(second.requestContext[name]);
  });

  test('of octets holds base64', () => {
    const request = sendsOf(profileOf(AWS)).send([{ data: Buffer.of(0, 255), binary: true }], 1);
    expect(eventIn(request)).toMatchObject({ body: 'AP8=', isBase64Encoded: true });
  });

  test.each([
    [{ code: 1001, reason: 'away' }, 1001, 'away'],
    [undefined, 1006, ''],
  ])('of the end %j says why', (ending, disconnectStatusCode, disconnectReason) => {
    const request = profileOf(AWS).close(ending && { ...ending, by: 'client', clean: true });
    const expected = { eventType: 'DISCONNECT', routeKey: '$disconnect' };
    expect(eventIn(request).requestContext).toMatchObject({
      ...expected,
      disconnectStatusCode,
      disconnectReason,
    });
  });
});

test.each([
  ['{"action":"join"}', 'join'],
  ['{"action":7}', '7'],
  ['{"action":"leave"}', '$default'],
  ['{"action":"$connect"}', '$default'],
  ['{"action":["join"]}', '$default'],
  ['join', '$default'],
  ['[]', '$default'],
])('the message %s goes to %s', (text, route) => {
  expect(routeOf(text)).toBe(route);
  expect(routeOf(text, true)).toBe('$default');
});

describe('the answer to $connect', () => {
  const opened = (body: string, headers = {}) =>
    profileOf(AWS, { protocols: ['p', 'q'] }).opened(answer(body, headers));

  test.each([
    ['', undefined],
    ['null', undefined],
    ['{"statusCode":200}', undefined],
    ['{"statusCode":2e2}', undefined],
    ['{"statusCode":"204","headers":null}', undefined],
    ['{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"q"}}', 'q'],
  ])('%s lets the client in', (body, protocol) => {
    expect(opened(body)).toEqual({ protocol });
  });

  test('refuses with its status', () => {
    const result = {
      statusCode: 403,
      headers: { 'Content-Type': 'text/plain', 'x-a': 'a\r\nb: c' },
      body: 'no',
    };
    expect(opened(JSON.stringify(result))).toEqual({
      refusal: { status: 403, headers: { 'content-type': 'text/plain' }, body: Buffer.from('no') },
    });
  });

  test('of a function that has thrown is 502', () => {
    const thrown = { refusal: expect.objectContaining({ status: 502 }) };
    expect(opened('{"errorMessage":"a","errorType":"Error"}')).toEqual(thrown);
    expect(opened('{}', { 'x-amz-function-error': 'Unhandled' })).toEqual(thrown);
  });

  test.each([
    '{"statusCode":100}',
    '{"statusCode":"x"}',
    '{"statusCode":200.5}',
    '{"statusCode":1e400}',
    '{"statusCode":{"valueOf":1,"toString":1}}',
    '{"statusCode":200,"headers":"x"}',
    '{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"r"}}',
  ])('may not be %s', (body) => {
    expect(() => opened(body)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
  });
});

/** Something reads it, nothing can write it. */
const DEEP = '['.repeat(100_000) + ']'.repeat(100_000);

describe('the answer to a message', () => {
  const replyTo = (body: string | Buffer, headers = {}) =>
    sendsOf(profileOf(AWS)).sent?.(answer(body, headers)).messages;

  test.each([
    ['', []],
    ['null', []],
    ['{"statusCode":200}', []],
    ['{"statusCode":200,"body":""}', []],
    ['{"statusCode":200,"body":"hi"}', ['hi']],
    ['{"statusCode":500,"body":"sorry"}', ['sorry']],
    ['{"statusCode":200,"body":{"a":1}}', ['{"a":1}']],
    ['"hi"', ['hi']],
    ['{"a":12345678901234567890}', ['{"a":12345678901234567890}']],
  ])('%s is %j to the client', (body, texts) => {
    expect(replyTo(body)).toEqual(texts.map((data) => ({ data, binary: false })));
  });

  test('may be octets', () => {
    expect(replyTo('{"statusCode":200,"body":"AP8=","isBase64Encoded":true}')).toEqual([
      { data: Buffer.of(0, 255), binary: true },
    ]);
  });

  test('that is no JSON is the reply as it is', () => {
    expect(replyTo('hello', { 'content-type': 'text/plain' })).toEqual([{ data: 'hello', binary: false }]);
    const octets = Buffer.of(0, 255);
    expect(replyTo(octets, { 'content-type': 'image/png' })).toEqual([{ data: octets, binary: true }]);
  });

  test.each([DEEP, `{"statusCode":200,"body":${DEEP}}`, `{"statusCode":200,"headers":{"x":${DEEP}}}`])(
    'may not be nested too deeply',
    (body) => {
      expect(() => replyTo(body)).toThrow(expect.objectContaining({ code: 'UPSTREAM_INVALID' }));
    },
  );

  test('of a function that has thrown is told, and the session goes on', () => {
    const told = [{ data: '{"message":"Internal server error","connectionId":"c-1"}', binary: false }];
    expect(replyTo('{"errorMessage":"a","errorType":"Error","stackTrace":[]}')).toEqual(told);
    const { refused } = sendsOf(profileOf(AWS));
    expect(refused?.(answer('', {}, 404))).toMatchObject({ messages: told });
    expect(refused?.(answer('', {}, 401))).toBeUndefined();
  });
});

/** A service that runs a function as Lambda would: its result is JSON, and what it throws, too. */
async function lambda(handler: (event: ReturnType<typeof eventIn>) => unknown) {
  return service((request: ServiceRequest, response) => {
    try {
      response.end(JSON.stringify(handler(eventIn(request)) ?? null));
    } catch (error) {
      response.end(JSON.stringify({ errorMessage: (error as Error).message, errorType: 'Error' }));
    }
  });
}

test('a function gets the events of a session in order', async () => {
  const events: { requestContext: { routeKey: string; disconnectStatusCode?: number } }[] = [];
  const backend = await lambda((event) => {
    events.push(event);
    if (event.body === '{"action":"join"}') return { statusCode: 200, body: 'joined' };
    if (event.isBase64Encoded) return { statusCode: 200, body: event.body, isBase64Encoded: true };
    if (event.body === 'throw') throw new Error('oh');
    return { statusCode: 200 };
  });
  const gateway = await harness(
    {},
    { route: postRoute(ROUTED, `${backend.url}/2015-03-31/functions/f/invocations`) },
  );
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  client.send('{"action":"join"}');
  client.send('nothing');
  client.send(Buffer.of(0, 255));
  client.send('throw');
  await inbox.atLeast(3);
  expect(
    inbox.messages.map(({ data, binary }) =>
      binary ? [...data] : JSON.parse(String(data).replace(/^j.*/, '1')),
    ),
  ).toEqual([1, [0, 255], { message: 'Internal server error', connectionId: gateway.sessions[0]?.id }]);
  client.close(4001, 'bye');
  await closeOf(client);
  await until(() => events.length === 6);
  expect(events.map(({ requestContext }) => requestContext.routeKey)).toEqual([
    '$connect',
    'join',
    '$default',
    '$default',
    '$default',
    '$disconnect',
  ]);
  expect(events[5]?.requestContext.disconnectStatusCode).toBe(4001);
  expect(new Set(backend.requests.map(({ url }) => url))).toEqual(
    new Set(['/2015-03-31/functions/f/invocations']),
  );
});

test('a function refuses a client, and hears no more of it', async () => {
  const backend = await lambda(() => ({ statusCode: 403, body: 'not you' }));
  const gateway = await harness({}, { route: postRoute(AWS, backend.url) });
  await expect(gateway.connect()).rejects.toThrow('403');
  expect(backend.requests).toHaveLength(1);
});
