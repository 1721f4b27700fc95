import { connect } from 'nats.ws';
import { expect, onTestFinished, test } from 'vitest';
import { type Changes, type Guarded, startGuardedExample } from '../support/example.ts';
import { startNats } from '../support/nats.ts';
import { within } from '../support/patience.ts';
import { pageHeaders } from '../support/visitor.ts';
import { webSocketWith } from './web-socket.ts';

/** Debian's NATS server, and nats.ws as its client over TLS: a page with a cookie, a program with a header. */

async function startScene(example = 'nats'): Promise<Guarded> {
  const nats = await startNats();
  const places: Readonly<Record<string, Changes>> = {
    nats: { 'ws://127.0.0.1:8081': `ws://127.0.0.1:${nats.port}` },
    'nats-tcp': { '127.0.0.1:4222': `127.0.0.1:${nats.raw}` },
  };
  return startGuardedExample(example, places[example] as Changes);
}

/** A connection of a user that NATS knows; closed when the test has finished. */
async function connectTo(guarded: Guarded, headers: Record<string, string>, pass = 'wonderland') {
  const OurWebSocket = webSocketWith(guarded, headers);
  const options = {
    servers: `wss://localhost:${guarded.gateway.port}/nats`,
    user: 'alice',
    pass,
    reconnect: false,
    // Missing in its types of the options.
    wsFactory: async (url: string) => ({ socket: new OurWebSocket(url), encrypted: true }),
  };
  const connection = await within(connect(options), 'a connection to NATS', 10_000);
  onTestFinished(() => connection.close());
  return connection;
}

test.each(['nats', 'nats-tcp'])(
  'with config/examples/%s.yaml a page hears what a program publishes, whole, and answers what it asks',
  async (example) => {
    const guarded = await startScene(example);
    const page = await connectTo(guarded, pageHeaders(guarded));
    const program = await connectTo(guarded, { authorization: `Bearer ${guarded.token}` });
    const news = page.subscribe('news.*', { max: 2 });
    page.subscribe('time', { callback: (_, message) => void message.respond('ten o’clock') });
    await page.flush();
    const payload = 'κόσμε '.repeat(80_000);
    program.publish('news.today', payload);
    program.publish('news.late', 'ok');
    const heard: string[] = [];
    const hearing = (async () => {
      for await (const message of news) heard.push(`${message.subject} ${message.string()}`);
    })();
    await within(hearing, 'both messages');
    // Not by toEqual, which would print half a megabyte.
    expect(heard.join() === `news.today ${payload},news.late ok`).toBe(true);
    expect((await program.request('time')).string()).toBe('ten o’clock');
    await Promise.all([page.drain(), program.drain()]);
    for (const connection of [page, program]) expect(await connection.closed()).toBeUndefined();
    await guarded.gateway.logged(({ msg, route }) => msg === 'session ended' && route === 'nats');
  },
);

test('who is not known to NATS is refused by NATS, with its own words', async () => {
  const guarded = await startScene();
  await expect(connectTo(guarded, pageHeaders(guarded), 'a guess')).rejects.toThrow(
    /Authorization Violation/,
  );
});

test('nobody comes in without a token', async () => {
  const guarded = await startScene();
  await expect(connectTo(guarded, {})).rejects.toThrow(/401/);
  await guarded.gateway.logged(({ error }) => error === 'TOKEN_MISSING');
});
