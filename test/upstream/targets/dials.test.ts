import { Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { GatewayError } from '../../../src/errors.ts';
import type { Connect } from '../../../src/upstream/connect.ts';
import type { DialObserver } from '../../../src/upstream/context.ts';
import { tcpTargets } from '../../support/tcp-targets.ts';

/** What becomes of dials to targets that clients name, and how they are counted. */

const silent: Connect = (_where, signal) =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new GatewayError('UPSTREAM_TIMEOUT'))),
  );
const dead: Connect = () => Promise.reject(new GatewayError('UPSTREAM_REFUSED'));
const good: Connect = async () => new Socket();

/** A target at one address for each way to take a dial, and the outcomes that observers are told. */
function targetAt(ways: readonly Connect[], handshake = '10s') {
  const told: string[] = [];
  const observer: DialObserver = {
    dialled: ({ route, name }, outcome) => void told.push(`${route} ${name} ${outcome}`),
    forgotten() {},
    healthChanged() {},
  };
  const connect: Connect = (where, signal) => (ways[Number(where.host.at(-1))] as Connect)(where, signal);
  const targets = tcpTargets(
    { tcp: '{path.host}:{path.port}', allow: '*:*' },
    {
      names: () => ways.map((_, at) => `1.0.0.${at}`),
      timeouts: { handshake },
      context: { connect, observer },
    },
  );
  return { ...targets, told };
}

test('one that works is told as connected', async () => {
  const { visit, told } = targetAt([good]);
  await visit({ url: '/a:1' });
  expect(told).toEqual(['r *:* connected']);
});

test('one that fails makes room for the next at once', async () => {
  const { visit, told } = targetAt([dead, good]);
  expect((await visit({ url: '/a:1' })).name).toBe('a:1/1.0.0.1');
  expect(told).toEqual(['r *:* UPSTREAM_REFUSED', 'r *:* connected']);
});

test('one that is silent is outpaced by the next, and nothing is left of either', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { visit, told } = targetAt([silent, good]);
  const visiting = visit({ url: '/a:1' });
  await vi.advanceTimersByTimeAsync(250);
  expect((await visiting).name).toBe('a:1/1.0.0.1');
  expect(told.sort()).toEqual(['r *:* connected', 'r *:* outpaced']);
  expect(vi.getTimerCount()).toBe(0);
});

test('each address has its share of the time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const { refused, told } = targetAt([silent, silent, silent], '300ms');
  const refusing = refused({ url: '/a:1' });
  await vi.advanceTimersByTimeAsync(100);
  expect(told).toEqual(['r *:* UPSTREAM_TIMEOUT']);
  await vi.advanceTimersByTimeAsync(200);
  const { code, dials } = await refusing;
  expect([code, dials?.map(({ target }) => target)]).toEqual([
    'UPSTREAM_TIMEOUT',
    ['a:1/1.0.0.0', 'a:1/1.0.0.1', 'a:1/1.0.0.2'],
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

test('one that the client does not wait for is told as abandoned', async () => {
  const begun = Promise.withResolvers<void>();
  const { refused, told } = targetAt([
    (...dial) => {
      begun.resolve();
      return silent(...dial);
    },
  ]);
  const leaving = new AbortController();
  const refusing = refused({ url: '/a:1', signal: leaving.signal });
  await begun.promise;
  leaving.abort();
  await refusing;
  expect(told).toEqual(['r *:* abandoned']);
});
