import { describe, expect, test } from 'vitest';
import { GatewayError, UpstreamAnswered } from '../../src/errors.ts';
import { answerRefusal, writeRefusal } from '../../src/listener/refusal.ts';
import { deferred, dial, open, say } from '../support/listener.ts';

const UPGRADE = 'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const POST = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n';

/** What a client reads whose upgrade is refused with `error`. */
async function refused(error: GatewayError): Promise<string> {
  const listener = await open({ upgrade: (_message, socket) => writeRefusal(socket, error) });
  return say(listener, UPGRADE);
}

describe('a refused upgrade', () => {
  test('reads the code, the sentence and the headers of the failure, never its cause', async () => {
    const cause = new Error('secret');
    const answer = await refused(new GatewayError('DRAINING', { cause, headers: { 'x-more': '1' } }));
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    expect(body).toBe('DRAINING: The gateway is restarting.\n');
    expect(head.split('\r\n').filter((line) => !line.startsWith('date: '))).toEqual([
      'HTTP/1.1 503 Service Unavailable',
      'cache-control: no-store',
      'retry-after: 5',
      'x-more: 1',
      'content-type: text/plain; charset=utf-8',
      `content-length: ${body.length}`,
      'connection: close',
    ]);
  });

  test('names Upgrade in Connection when it offers one', async () => {
    const answer = await refused(new GatewayError('UPGRADE_REQUIRED', { headers: { upgrade: 'websocket' } }));
    expect(answer).toContain('\r\nconnection: close, upgrade\r\n');
  });

  test("reads the upstream's own answer, without what belongs to the upstream's connection", async () => {
    const answer = await refused(
      new UpstreamAnswered({
        status: 418,
        headers: [
          ['Content-Type', 'application/json'],
          ['Set-Cookie', 'a=1'],
          ['Set-Cookie', 'b=2'],
          ['Transfer-Encoding', 'chunked'],
          ['Content-Length', '99'],
          ['X-Split', 'a\r\nx-injected: 1'],
        ],
        body: Buffer.from('{}'),
      }),
    );
    expect(answer).toMatch(/^HTTP\/1.1 418 I'm a Teapot\r\n/);
    expect(answer).toContain('\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n');
    expect(answer).toContain('\r\ncontent-length: 2\r\n');
    expect(answer).not.toMatch(/transfer-encoding|x-split|x-injected/);
    expect(answer).toMatch(/\r\n\r\n\{\}$/);
  });

  test('reads its answer though it is still sending, and is let go when it leaves', async () => {
    const left = deferred<void>();
    const listener = await open({
      upgrade(_message, socket) {
        writeRefusal(socket, new GatewayError('TOKEN_MISSING'), { lingerMs: 60_000 });
        socket.once('close', () => left.resolve());
      },
    });
    const client = dial(listener);
    client.write(UPGRADE + 'x'.repeat(1_000_000));
    client.once('end', () => client.end());
    expect((await client.toArray()).join('')).toMatch(
      /^HTTP\/1.1 401 .*TOKEN_MISSING: A token is required.\n$/s,
    );
    await left.promise;
  });

  test('is disconnected after the linger deadline if it does not leave', async () => {
    const destroyed = deferred<void>();
    const listener = await open({
      upgrade(_message, socket) {
        writeRefusal(socket, new GatewayError('NO_ROUTE'), { lingerMs: 30 });
        socket.once('close', () => destroyed.resolve());
      },
    });
    dial(listener).resume().write(UPGRADE);
    await destroyed.promise;
  });

  test('that is gone already gives its socket back', async () => {
    const listener = await open({
      upgrade(_message, socket) {
        socket.destroy();
        writeRefusal(socket, new GatewayError('NO_ROUTE'));
      },
    });
    expect(await say(listener, UPGRADE)).toBe('');
  });
});

describe('a refused request', () => {
  test('reads the refusal, and is disconnected only after its body', async () => {
    const order: string[] = [];
    const listener = await open({
      request(message, response) {
        message.once('end', () => order.push('body read'));
        response.once('finish', () => order.push('response ended'));
        answerRefusal(response, new GatewayError('TOKEN_EXPIRED'));
      },
    });
    const client = dial(listener);
    client.write(POST);
    client.once('data', () => client.end('x'.repeat(300_000)));
    expect((await client.toArray()).join('')).toMatch(
      /^HTTP\/1.1 401 .*TOKEN_EXPIRED: The token has expired.\n$/s,
    );
    expect(order).toEqual(['body read', 'response ended']);
  });

  test('is disconnected after the linger deadline if its body does not end', async () => {
    const listener = await open({
      request: (_message, response) =>
        answerRefusal(response, new GatewayError('TOKEN_EXPIRED'), { lingerMs: 30 }),
    });
    expect(await say(listener, POST)).toMatch(/^HTTP\/1.1 401 /);
  });

  test('is cut off when its response had begun', async () => {
    const listener = await open({
      request(_message, response) {
        response.write('half', () => answerRefusal(response, new GatewayError('UPSTREAM_LOST')));
      },
    });
    expect(await say(listener, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).not.toContain('UPSTREAM_LOST');
  });
});
