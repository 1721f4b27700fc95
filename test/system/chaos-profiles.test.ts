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
import type { Said } from '../support/chaos-backend.ts';
import { ChaosClient } from '../support/chaos-client.ts';
import { SPEECHES, type Speech } from '../support/chaos-speech.ts';
import type { TestGateway } from '../support/gateway.ts';
import { LINGER } from '../support/lingering.ts';
import { within } from '../support/patience.ts';
import { seeded } from '../support/seeded.ts';

/**
 * Every protocol with a service that cuts its answers and is killed again and again, and clients that are lost. Most of them
 * cannot go on behind that: then the session has ended with a code, and the next one works. In none is anything missing or
 * doubled before its end.
 */

const EACH = 100;
/** At the least: there are more until each kind of ending was seen. */
const SESSIONS = 10;
/** Of a thousand answers. */
const CUTS = { poll: 25, post: 3 };
const LAST = 1_000;
const DROPS = 20;
const KILLS = 4;
/** What the client calls its own leaving, and what it does where the service says that it has forgotten it. */
const LEFT = 1006;
const FORGOTTEN = 4000;
const LOST = 1014;
/** Packets of one post: Socket.IO answers it before its application has heard them, and drops them if the session ends in between. */
const ANSWERED = 16;

const PROFILES = [
  { profile: 'engine.io', kind: 'poll', speech: 'engine.io' },
  { profile: 'sockjs', kind: 'poll', path: '/echo', speech: 'sockjs' },
  { profile: 'bayeux', kind: 'poll', path: '/bayeux', speech: 'bayeux' },
  { profile: 'websocket-over-http', kind: 'poll', batch: { messages: 3 }, speech: 'plain' },
  { profile: 'generic', kind: 'post', speech: 'plain' },
  { profile: 'cloudevents', kind: 'post', hub: 'chat', speech: 'plain' },
  { profile: 'aws', kind: 'post', speech: 'plain' },
] as const;

/** What became of one session for its client. */
interface Visit {
  readonly code: number;
  readonly heard: readonly string[];
  /** How many numbers it has said. */
  readonly said: number;
  /** In how many messages, with those of its protocol. */
  readonly sent: number;
}

/** Resolves with the code that a connection is closed with; unlike `once` of node:events it does not reject where there was none. */
function closeOf(client: WebSocket): Promise<number> {
  client.on('error', () => {});
  return new Promise((resolve) => {
    client.once('close', resolve);
  });
}

/** Says its numbers and hears the service's, then closes; or is lost once it has heard so many. Undefined: it was not let in. */
async function visitOnce(
  url: string,
  speech: Speech,
  session: number,
  drop: number,
): Promise<Visit | undefined> {
  const client = new WebSocket(url);
  onTestFinished(() => client.terminate());
  const heard: string[] = [];
  let [said, sent] = [0, 0];
  let isIn = false;
  function send(frame: string): void {
    sent++;
    client.send(frame);
  }
  function sayAll(): void {
    while (said < EACH) send(speech.write(`${session}:${++said}`));
  }
  client.once('open', () => {
    isIn = true;
    if (speech.hello !== undefined) send(speech.hello);
    if (speech.isOpenAtOnce) sayAll();
  });
  client.on('message', function onMessage(data) {
    const { numbers = [], answers = [], isOpen, isForgotten } = speech.read(String(data));
    for (const answer of answers) send(answer);
    if (isOpen) sayAll();
    heard.push(...numbers);
    if (isForgotten) client.close(FORGOTTEN);
    else if (heard.length >= EACH) client.close(1000);
    else if (heard.length >= drop) client.removeAllListeners('message').terminate();
  });
  const code = await within(closeOf(client), () => `an end behind ${heard.length}`, LONG_MS);
  return isIn ? { code, heard, said, sent } : undefined;
}

/** The same; where the service is down, it tries again. */
async function visit(
  gateway: TestGateway,
  speak: () => Speech,
  session: number,
  drop: number,
): Promise<Visit> {
  for (;;) {
    const speech = speak();
    const visited = await visitOnce(gateway.url(speech.path), speech, session, drop);
    if (visited !== undefined) return visited;
    await sleep(20);
  }
}

interface Line {
  readonly close: number;
  readonly error?: string;
  readonly undelivered: number;
  readonly up: { readonly messages: number };
}

async function lastLine(gateway: TestGateway, session: number): Promise<Line> {
  const endings = () => gateway.log.filter(({ msg }) => msg === 'session ended');
  await gateway.logged(() => endings().length > session, LONG_MS);
  return endings()[session] as unknown as Line;
}

async function takenOf(service: ChaosService, session: number): Promise<string[]> {
  const said = await service.lines<Said>();
  return said.flatMap(({ body }) =>
    body.startsWith(`${session}:`) ? [body.slice(body.indexOf(':') + 1)] : [],
  );
}

describe.each(PROFILES)(`$kind: $profile (CHAOS_SEED=${SEED})`, ({ kind, speech, ...session }) => {
  const startService = () =>
    startChaosService('chaos-backend.ts', session.profile, kind === 'post' ? LAST : EACH, CUTS[kind]);

  test('in a session nothing is missing or doubled, either way, up to its end, which has a code', async () => {
    const service = await startService();
    const gateway = await gatewayTo(service, { [kind]: session });
    const random = seeded(SEED);
    const codes: number[] = [];

    async function look(number: number): Promise<void> {
      const drop = random(3) === 0 ? random(EACH) : Infinity;
      const { code, heard, said, sent } = await visit(gateway, SPEECHES[speech], number, drop);
      codes.push(code);
      expect(heard).toEqual(numbersTo(heard.length));
      const line = await lastLine(gateway, number);
      const taken = await takenOf(service, number);
      expect(taken).toEqual(numbersTo(taken.length));
      if (code === FORGOTTEN) return;
      // It may have been lost in the moment in which the session ended anyway.
      expect(line.close).toBeOneOf(code === LEFT ? [LEFT, LOST] : [code]);
      // What is missing was not read of a client that was lost, or is counted.
      const unheard = speech === 'engine.io' && code !== 1000 ? ANSWERED : 0;
      const missing = said - taken.length - unheard;
      expect(missing).toBeLessThanOrEqual(line.undelivered + sent - line.up.messages);
      if (code === 1000) expect(heard.length).toBe(EACH);
      // Where answers are the numbers, all have been taken; else the last may be lost, and counted, behind the client's Close.
      if (code === 1000 && speech === 'plain') expect([taken.length, line.undelivered]).toEqual([EACH, 0]);
    }

    async function lookAll(): Promise<void> {
      const hasAll = () => [1000, LOST, LEFT].every((code) => codes.includes(code));
      for (let number = 0; number < SESSIONS || !hasAll(); number++) await look(number);
    }
    await killUntil(lookAll(), service);
    for (const code of codes)
      expect(code).toBeOneOf([1000, LOST, LEFT, ...(speech === 'bayeux' ? [FORGOTTEN] : [])]);
  });

  // The others' clients do not come back to a session.
  if (speech !== 'plain') return;
  test('with retry: idempotent and linger nothing is lost, and repeated with the same key only', async () => {
    const service = await startService();
    const gateway = await gatewayTo(service, {
      [kind]: { ...session, retry: 'idempotent', linger: LINGER },
    });
    const client = new ChaosClient(gateway.url('/any'), LAST);
    await killUntil(client.converse(places(DROPS, 2 * LAST), 'nothing'), service, KILLS);
    expect([client.heard, client.codes]).toEqual([numbersTo(LAST), [1000]]);
    const said = await service.lines<Said>();
    expect([...new Set(said.map(({ body }) => body))]).toEqual(numbersTo(LAST));
    expect(new Set(said.map(({ key, body }) => `${key} ${body}`)).size).toBe(LAST);
  });
});
