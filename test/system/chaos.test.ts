import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  type ChaosService,
  gatewayTo,
  killUntil,
  LONG_MS,
  numbersTo,
  places,
  SEED,
  startChaosService,
} from '../support/chaos.ts';
import type { Taken } from '../support/chaos-service.ts';
import type { TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';

/**
 * A service that cuts its answers and is killed again and again: no message is lost, none is doubled unseen, and no session ends
 * without a word.
 */

const LAST = 10_000;
const NUMBERS = numbersTo(LAST);
/** Of a thousand answers. */
const OFTEN = 150;
const SELDOM = 3;
const SESSIONS = 40;

const startService = () => startChaosService('chaos-service.ts', LAST, OFTEN, SELDOM);
const takenBy = (service: ChaosService) => service.lines<Taken>();

/** A client that has connected, and the code it is closed with. */
async function connect(gateway: TestGateway, path: string) {
  const client = new WebSocket(gateway.url(path));
  onTestFinished(() => client.terminate());
  const ended = once(client, 'close').then(([code]) => code as number);
  await within(once(client, 'open'), 'an open WebSocket');
  return { client, ended };
}

/** What is known of a session when it is over. */
async function lastLine(gateway: TestGateway, session: number) {
  const endings = () => gateway.log.filter(({ msg }) => msg === 'session ended');
  await gateway.logged(() => endings().length > session, LONG_MS);
  return endings()[session] as { close: number; undelivered?: number; up: { messages: number } };
}

const CURSOR = { initial: '{query.since|0}' };
const FEEDS = {
  polls: {
    poll: { path: '/feed' },
    cursor: { ...CURSOR, from: 'json:/next', send: 'query:since' },
    messages: { framing: 'json-array', at: 'json:/numbers' },
  },
  streams: {
    poll: { path: '/stream', mode: 'stream' },
    cursor: { ...CURSOR, from: 'event:id', send: 'header:Last-Event-ID' },
    messages: { framing: 'sse' },
  },
};

/** Hears a feed to its end; is dropped at each of the places, and comes back with the number it heard last. */
async function hearAll(gateway: TestGateway, drops: number[]): Promise<string[]> {
  const heard: string[] = [];
  while (heard.length < LAST) {
    const { client, ended } = await connect(gateway, `/?since=${heard.at(-1) ?? 0}`);
    const isEnough = () => heard.length >= (drops[0] ?? LAST);
    let isDropped = false;
    client.on('message', function onMessage(data) {
      if (isDropped) return;
      heard.push(String(data));
      if (!isEnough()) return;
      isDropped = true;
      client.terminate();
    });
    const code = await within(ended, () => `the last of ${heard.length}`, LONG_MS);
    if (!isDropped) throw new Error(`closed with ${code} behind ${heard.length}`);
    while (isEnough() && drops.length > 0) drops.shift();
  }
  return heard;
}

describe(`${LAST} messages down (CHAOS_SEED=${SEED})`, () => {
  const ways = Object.entries(FEEDS).flatMap(([name, feed]) => [
    { name, feed, who: 'a client that stays', drops: 0 },
    { name, feed: { ...feed, ack: 'pong' }, who: 'a client that is dropped and comes back', drops: 12 },
  ]);
  test.for(ways)('come once each by $name to $who', async ({ feed, drops }) => {
    const service = await startService();
    const gateway = await gatewayTo(service, { poll: feed });
    const all = hearAll(gateway, places(drops, LAST));
    await killUntil(all, service);
    expect(await all).toEqual(NUMBERS);
  });
});

describe(`${LAST} messages up (CHAOS_SEED=${SEED})`, () => {
  test('of a service that drops what it has had: each comes, and again only with the same key', async () => {
    const service = await startService();
    const gateway = await gatewayTo(service, { post: { path: '/up', retry: 'idempotent' } });
    const { client } = await connect(gateway, '/');
    for (const number of NUMBERS) client.send(number);
    const bodies = async () => new Set((await takenBy(service)).map(({ body }) => body));

    async function takeAll(): Promise<void> {
      while ((await bodies()).size < LAST) await sleep(100);
    }
    await within(killUntil(takeAll(), service), 'all messages', LONG_MS);
    client.close(1000);

    expect(await lastLine(gateway, 0)).toMatchObject({ close: 1000, undelivered: 0, up: { messages: LAST } });
    expect([...(await bodies())]).toEqual(NUMBERS);
    const taken = await takenBy(service);
    expect(taken.length).toBeGreaterThan(LAST);
    expect(new Set(taken.map(({ key }) => key)).size).toBe(LAST);
    expect(new Set(taken.map(({ key, body }) => `${key} ${body}`)).size).toBe(LAST);
  });

  test('of any other: none comes twice, and a session that has lost one ends with a code and the count', async () => {
    const service = await startService();
    const gateway = await gatewayTo(service, { post: { path: '/up', response: 'message' } });
    const EACH = LAST / SESSIONS;
    const codes: number[] = [];

    /** Sends its messages at once, and leaves when all have been answered. */
    async function converse(session: number): Promise<void> {
      const { client, ended } = await connect(gateway, '/');
      let answers = 0;
      client.on('message', function onAnswer() {
        if (++answers === EACH) client.close(1000);
      });
      for (let number = 1; number <= EACH; number++) client.send(`${session}:${number}`);
      codes.push(await within(ended, () => `the end behind ${answers} answers`, LONG_MS));
      const line = await lastLine(gateway, session);
      expect(line).toMatchObject({ close: codes.at(-1), up: { messages: EACH } });
      expect(answers + (line.undelivered ?? 0)).toBe(EACH);
      const taken = (await takenBy(service)).flatMap(({ body }) => numberOf(body, session) ?? []);
      // The fate of the one that the session ended with is not known.
      expect(taken).toEqual(Array.from({ length: taken.length }, (_, index) => index + 1));
      expect(taken.length - answers).toBeOneOf(codes.at(-1) === 1000 ? [0] : [0, 1]);
    }

    async function converseAll(): Promise<void> {
      for (let session = 0; session < SESSIONS; session++) await converse(session);
    }
    await killUntil(converseAll(), service);
    expect(new Set(codes)).toEqual(new Set([1000, 1014]));
  });
});

/** Undefined where it is another session's. */
function numberOf(body: string, session: number): number | undefined {
  const [of, number] = body.split(':').map(Number);
  return of === session ? number : undefined;
}
