import { expect, test } from 'vitest';
import { RedisChannel } from '../../../src/store/redis/channel.ts';
import type { RedisLink } from '../../../src/store/redis/link.ts';
import type { Membership } from '../../../src/store/redis/membership.ts';
import type { Message } from '../../../src/store/shared/channel.ts';

/** What is told by a Redis that a test makes fail. */

function open() {
  const told: string[] = [];
  const redis = { fault: undefined as Error | undefined, isLate: false };
  const link = {
    async run(_script: object, _key: string, ...values: string[]) {
      if (redis.isLate) told.push(...values.slice(3));
      if (redis.fault) throw redis.fault;
      told.push(...values.slice(3));
    },
  } as unknown as RedisLink;
  const membership = { name: 'me' as string | undefined, living: { names: ['me', 'other'], readAt: 0 } };
  const channel = new RedisChannel(link, 'test', membership as unknown as Membership);
  return { told, redis, membership, channel };
}

const question = (id: string, what: unknown = ''): Message => ({ kind: 'question', id, topic: 'a', what });
const idsOf = (texts: readonly string[]) => texts.map((text) => JSON.parse(text).id);
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what cannot be told now is told later, in its order', async () => {
  const { channel, redis, told } = open();
  redis.fault = new Error('gone');
  for (let index = 0; index < 100; index++) channel.tell(question(`${index}`));
  await turn();
  expect(told).toEqual([]);
  redis.fault = undefined;
  channel.tell(question('last'));
  await turn();
  expect(idsOf(told)).toEqual([...Array.from({ length: 100 }, (_, index) => `${index}`), 'last']);
});

test('what may have been told is told again', async () => {
  const { channel, redis, told } = open();
  Object.assign(redis, { fault: new Error('late'), isLate: true });
  channel.tell(question('a'));
  await turn();
  Object.assign(redis, { fault: undefined, isLate: false });
  await channel.repeat();
  expect(idsOf(told)).toEqual(['a', 'a']);
});

test('nothing is told before this process has a name, by which others know who it is', async () => {
  const { channel, membership, told } = open();
  membership.name = undefined;
  channel.tell(question('a'));
  await turn();
  expect(told).toEqual([]);
  membership.name = 'me';
  await channel.repeat();
  expect(idsOf(told)).toEqual(['a']);
});

test('of more than 4 MiB that wait the oldest are forgotten, and a message of more than 256 KiB is for nobody', async () => {
  const { channel, redis, told } = open();
  redis.fault = new Error('gone');
  channel.tell(question('too long', 'x'.repeat(256 * 1024)));
  channel.tell(question('too long in UTF-8', '—'.repeat(100_000)));
  for (let index = 0; index < 60; index++) channel.tell(question(`${index}`, 'x'.repeat(100_000)));
  await turn();
  redis.fault = undefined;
  await channel.repeat();
  // The first was under way, and those behind it waited.
  const ids = idsOf(told);
  expect([ids.length, ids.at(0), ids.at(-1)]).toEqual([41, '0', '59']);
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 30; index++) channel.tell(question(`${index}`, 'x'.repeat(100_000)));
    await turn();
  }
  expect(told.length).toBe(41 + 60);
});

test('what it has told itself is not heard, nor what makes no sense', () => {
  const { channel } = open();
  const heard: unknown[] = [];
  channel.onTold((message, from) => heard.push([message, from]));
  const tooLong = JSON.stringify(question('a', 'x'.repeat(256 * 1024)));
  for (const text of ['', '{', 'null', '7', tooLong]) channel.heard('other', text);
  channel.heard('me', '{"kind":"answer"}');
  channel.heard('other', '{"kind":"answer"}');
  expect(heard).toEqual([[{ kind: 'answer' }, 'other']]);
  expect(channel.others).toEqual(['other']);
});
