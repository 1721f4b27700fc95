import { describe, expect, test } from 'vitest';
import type { Ending } from '../../../src/bridge/contract.ts';
import { ChannelHub } from '../../../src/bridge/poll/channels.ts';
import { runPoll } from '../../../src/bridge/poll/engine.ts';
import type { Message, Polls, Profile, Sends, SessionControls } from '../../../src/bridge/poll/profile.ts';
import { connection, sessionOf } from '../../support/ends.ts';
import { exchanges } from '../../support/exchanges.ts';
import { turns } from '../../support/pairs.ts';
import { fastClock } from '../../support/poll-clock.ts';
import { closeFrame, frame, TEXT } from '../../support/raw.ts';

/** A whole session in memory, with a profile that a test has in its hands. */

const text = (data: string): Message => ({ data, binary: false });

const ONE_BY_ONE = {
  timeoutMs: 1_000,
  answerSize: 'ignored',
  resends: false,
  concurrency: 1,
  inOrder: true,
} as const;

function stand(changes: Partial<Profile> = {}, greeting: readonly Message[] = []) {
  const { ours, far } = connection();
  const { http, waiting, bodies } = exchanges();
  const { clock } = fastClock();
  const goodbyes: Ending[] = [];
  const log: string[] = [];
  let controls!: SessionControls;
  const profile: Profile = {
    answerSize: 1_000,
    open: () => undefined,
    opened: () => ({}),
    close: () => undefined,
    begin(given) {
      controls = given;
      log.push('begin');
    },
    finish: () => void log.push('finish'),
    ...changes,
  };
  const conversation = {
    http,
    profile,
    greeting,
    connection: 'c1',
    channels: new ChannelHub().join(1_000),
    queueSize: 10_000,
    outageMs: undefined,
    clock,
    async sayGoodbye(ending: Ending) {
      goodbyes.push(ending);
    },
  };
  const session = sessionOf({ closeMs: 200 });
  const done = runPoll(conversation, ours, Buffer.alloc(0), session);
  const got = () => far.frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => String(payload));
  return { far, done, waiting, bodies, goodbyes, log, session, got, controls: () => controls };
}

/** Answers our Close, and goes. */
async function leave({ far, done }: ReturnType<typeof stand>): Promise<Ending> {
  await far.say(closeFrame(1000));
  far.stream.end();
  return done;
}

const POLLS: Polls = {
  mode: 'answers',
  holdMs: 1_000,
  marginMs: 1_000,
  answerSize: 1_000,
  repeats: true,
  poll: () => ({ method: 'GET', path: '/', headers: {}, body: 'poll' }),
  polled: ({ body }) => ({
    messages: [text(String(body))],
    cursor: 'none',
    commit() {},
  }),
};

const SENDS: Sends = {
  ...ONE_BY_ONE,
  send: (messages) => ({ method: 'POST', path: '/', headers: {}, body: `of ${messages.length}` }),
};

describe('a profile', () => {
  test('is told of the beginning and of the end, once each', async () => {
    const session = stand();
    expect(session.log).toEqual(['begin']);
    await leave(session);
    expect(session.log).toEqual(['begin', 'finish']);
    expect(session.goodbyes).toMatchObject([{ code: 1000, by: 'client' }]);
  });

  test('that cannot begin ends the session', async () => {
    const session = stand({
      begin() {
        throw new TypeError('no such field');
      },
    });
    await turns(2);
    expect(session.far.closeCode).toBe(1011);
    expect(await leave(session)).toMatchObject({ error: { code: 'INTERNAL' } });
  });

  test('may send of its own accord, behind what is on its way', async () => {
    const session = stand({ receives: POLLS }, [text('hello'), text('there')]);
    const delivered = session.controls().deliver([text('first')]);
    session.waiting[0]?.answer(200, 'second');
    await turns(4);
    expect([await delivered, session.got()]).toEqual([true, ['hello', 'there', 'first', 'second']]);
    await leave(session);
  });

  test('may end the session as a Close of its service would, behind what is on its way', async () => {
    const session = stand();
    void session.controls().deliver([text('last')]);
    session.controls().end({ code: 4000, reason: 'enough' });
    await turns(3);
    expect([session.got(), session.far.closeCode]).toEqual([['last'], 4000]);
    expect(await leave(session)).toMatchObject({ code: 4000, reason: 'enough', by: 'upstream', clean: true });
  });

  test('may ask to be heard', async () => {
    const session = stand({ sends: SENDS });
    session.controls().nudge();
    expect(session.bodies).toEqual(['of 0']);
    session.waiting[0]?.answer(200);
    await turns(2);
    await leave(session);
    expect(session.session.undelivered).toBe(0);
  });

  test('hears no first message of a client that comes behind its end', async () => {
    const session = stand({ sends: SENDS });
    session.controls().end({ code: 4000, reason: 'enough' });
    await turns(3);
    await session.far.say(frame(TEXT, 'too late'));
    await leave(session);
    expect([session.bodies, session.session.undelivered]).toEqual([[], 1]);
  });

  test('may end the session with an answer', async () => {
    const end = { code: 4001, reason: 'read it all' };
    const session = stand({
      receives: { ...POLLS, polled: () => ({ messages: [text('a')], cursor: 'none', commit() {}, end }) },
    });
    session.waiting[0]?.answer(200);
    await turns(4);
    expect([session.got(), session.far.closeCode, session.bodies.length]).toEqual([['a'], 4001, 1]);
    expect(await leave(session)).toMatchObject({ code: 4001, by: 'upstream', clean: true });
  });
});

test('a session does not wait for its goodbye, but for the last messages of its client', async () => {
  const session = stand({ sends: SENDS });
  await session.far.say(frame(TEXT, 'a'), closeFrame(1000));
  session.far.stream.end();
  expect(session.goodbyes).toEqual([]);
  session.waiting[0]?.answer(200);
  await session.done;
  expect(session.goodbyes.length).toBe(1);
  expect(session.session.undelivered).toBe(0);
});
