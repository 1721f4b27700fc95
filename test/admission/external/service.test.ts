import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AuthService, type ExternalConfig } from '../../../src/admission/external/service.ts';
import type { GatewayError } from '../../../src/errors.ts';
import { externalConfig, startAuthService } from '../../support/auth-service.ts';
import { folderWith } from '../../support/cli.ts';
import { deadPort } from '../../support/faulty.ts';
import { certificate } from '../../support/listener.ts';
import { eventually, within } from '../../support/patience.ts';
import { codeOf } from '../../support/tokens.ts';

const FEW = { all: 6, perAddress: 4 };

function clientOf(config: Partial<ExternalConfig> & { url: string }): AuthService {
  const service = new AuthService(externalConfig(config), FEW);
  onTestFinished(() => service.close());
  return service;
}

async function scene(config: Partial<ExternalConfig> = {}) {
  const service = await startAuthService();
  const client = clientOf({ url: service.url, ...config });
  return { service, client, ask: (address = 'a') => client.ask([], address) };
}

const failure = (asking: Promise<unknown>) =>
  asking.then(
    () => expect.unreachable('there was an answer'),
    (error: GatewayError) => error,
  );

describe('a question', () => {
  test('is a GET of the address with the fields it is given, and no body', async () => {
    const { service, client } = await scene();
    await client.ask(
      [
        ['cookie', 'a=b'],
        ['X-Name', 'J\u00c3\u00a9'],
      ],
      'a',
    );
    const [question] = service.questions;
    expect(question).toMatchObject({ method: 'GET', url: '/auth?rd=1' });
    expect(question?.rawHeaders).toEqual([
      ...['host', `127.0.0.1:${service.port}`, 'connection', 'keep-alive'],
      ...['cookie', 'a=b', 'X-Name', 'J\u00c3\u00a9'],
    ]);
  });

  test('goes over the connection of the one before', async () => {
    const { service, ask } = await scene();
    for (let count = 0; count < 5; count++) {
      service.answer = (response) => response.writeHead(count % 2 === 0 ? 200 : 403).end('x'.repeat(1000));
      await ask();
      await eventually(() => service.questions.length === count + 1);
    }
    expect(service.connections()).toBeLessThanOrEqual(2);
  });

  test('over TLS goes to nobody whose certificate is not believed', async () => {
    const { cert, key } = await certificate(await folderWith({}), ['localhost']);
    const service = await startAuthService(
      createServer({ cert: await readFile(cert), key: await readFile(key) }),
    );
    const error = await failure(clientOf({ url: `https://localhost:${service.port}/` }).ask([], 'a'));
    expect(error).toMatchObject({ code: 'AUTH_UNAVAILABLE', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
    expect(service.questions).toEqual([]);
  });
});

describe('an answer', () => {
  test('that refuses comes with its body, one that does not without', async () => {
    const { service, ask } = await scene();
    service.answer = (response) => response.writeHead(401, { 'X-Why': 'so' }).end('who?');
    const refused = await ask();
    expect(refused).toMatchObject({ status: 401, body: Buffer.from('who?') });
    expect(refused.fields.slice(0, 2)).toEqual(['X-Why', 'so']);
    service.answer = (response) => response.end('welcome');
    expect(await ask()).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  });

  test('that sends elsewhere is not followed', async () => {
    const { service, ask } = await scene();
    service.answer = (response) => response.writeHead(302, { location: '/login' }).end();
    expect(await ask()).toMatchObject({ status: 302 });
    expect(service.questions).toHaveLength(1);
  });

  test('with a large body, even one without an end: of a refusal counts its beginning', async () => {
    const { service, ask } = await scene({ within: 2_000 });
    service.answer = (response) => void response.writeHead(403).write(Buffer.alloc(2 ** 20, 'x'));
    expect((await ask()).body.equals(Buffer.alloc(2 ** 16, 'x'))).toBe(true);
  });

  test('with a body without an end lets in at once, and its connection and its place are given up soon', async () => {
    const { service, ask } = await scene({ within: 60_000 });
    const closed = Promise.withResolvers<void>();
    service.answer = (response) => {
      response
        .on('close', () => closed.resolve())
        .writeHead(200)
        .write('x');
    };
    const answers = await Promise.all(Array.from({ length: FEW.perAddress }, () => ask()));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await codeOf(ask())).toBe('TOO_MANY_REQUESTS');
    await within(closed.promise, 'the end of the connection');
    await eventually(
      () =>
        ask().then(
          () => true,
          () => false,
        ),
      'a place that is free again',
    );
  });
});

describe('there is no answer', () => {
  test('where none comes in time', async () => {
    const { service, ask } = await scene({ within: 500 });
    const left = Promise.withResolvers<void>();
    service.answer = (response) => response.on('close', () => left.resolve());
    const error = await failure(ask());
    expect(error).toMatchObject({ code: 'AUTH_UNAVAILABLE', cause: { message: 'no answer in 500 ms' } });
    await within(left.promise, 'the end of the question');
  });

  test('where the body of a refusal does not come in time', async () => {
    const { service, ask } = await scene({ within: 100 });
    service.answer = (response) => void response.writeHead(401).write('wh');
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
  });

  test('where the connection is reset, before it or amid it', async () => {
    const { service, ask } = await scene();
    service.answer = (response) => response.socket?.resetAndDestroy();
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
    service.answer = async (response) => {
      response.writeHead(401, { 'content-length': 10 }).write('wh', () => response.socket?.resetAndDestroy());
    };
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
  });

  test('where nobody listens', async () => {
    const error = await failure(clientOf({ url: `http://127.0.0.1:${await deadPort()}/` }).ask([], 'a'));
    expect(error).toMatchObject({ code: 'AUTH_UNAVAILABLE', cause: { code: 'ECONNREFUSED' } });
  });

  test('where it is not HTTP, or its head is too large', async () => {
    const { service, ask } = await scene();
    service.answer = (response) => response.socket?.end('SSH-2.0-x\r\n\r\n');
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
    service.answer = (response) => response.setHeader('x', 'v'.repeat(20_000)).end();
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
  });
});

describe('questions at a time', () => {
  /** As many as there may be, which wait for their answers. */
  async function asking(count: number, addressOf: (index: number) => string) {
    const { service, ask } = await scene();
    const waiting: (() => void)[] = [];
    service.answer = (response) => waiting.push(() => response.end());
    const asked = Array.from({ length: count }, (_, index) => ask(addressOf(index)));
    // They may be refused when the test has failed.
    for (const each of asked) each.catch(() => {});
    await eventually(() => waiting.length === count, `${count} questions`);
    async function answerAll() {
      for (const answer of waiting.splice(0)) answer();
      await Promise.all(asked);
    }
    return { service, ask, answerAll };
  }

  test('are a few for one address, and others still get through', async () => {
    const { service, ask, answerAll } = await asking(4, () => 'a');
    expect(await failure(ask('a'))).toMatchObject({ code: 'TOO_MANY_REQUESTS', status: 429 });
    expect(service.questions).toHaveLength(4);
    const other = ask('b');
    await eventually(() => service.questions.length === 5);
    await answerAll();
    await other;
    service.answer = (response) => response.end();
    await eventually(() =>
      ask('a').then(
        () => true,
        () => false,
      ),
    );
  });

  test('are some in all', async () => {
    const { service, ask, answerAll } = await asking(6, (index) => `${index % 2}`);
    expect(await failure(ask('new'))).toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      detail: 'too many questions to the auth service in all',
    });
    expect(service.questions).toHaveLength(6);
    await answerAll();
  });

  test('end with the client, once', async () => {
    const { service, client, ask } = await scene();
    service.answer = () => {};
    const asked = ask();
    await eventually(() => service.questions.length === 1);
    await client.close();
    expect(await codeOf(asked)).toBe('AUTH_UNAVAILABLE');
    await client.close();
    expect(await codeOf(ask())).toBe('AUTH_UNAVAILABLE');
  });
});
