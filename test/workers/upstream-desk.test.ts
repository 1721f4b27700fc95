import { expect, test } from 'vitest';
import type { UpstreamList, UpstreamView } from '../../src/observe/admin/upstreams.ts';
import type { Member } from '../../src/workers/crew.ts';
import { createUpstreamsDesk } from '../../src/workers/upstream-desk.ts';

/** What operators see of targets where several processes lead to them. */

const view = (given: Partial<UpstreamView>): UpstreamView => ({
  ...{ route: 'chat', kinds: ['websocket'], target: '10.0.0.7:80', state: 'well', inFlight: 1, sessions: 1 },
  ...given,
});

/** Workers that answer with these lists; undefined: not at all. */
function workers(...lists: (UpstreamList | undefined)[]): Member[] {
  return lists.map((list, index) => {
    const ask = async (_topic: string, { args }: { args: [string | undefined] }) => {
      if (list === undefined) throw new Error('no answer');
      return { ...list, upstreams: list.upstreams.filter(({ route }) => (args[0] ?? route) === route) };
    };
    return { number: index + 1, line: { ask } } as unknown as Member;
  });
}

test('each target is told once: the sum of what leads there, and how it does where it does worst', async () => {
  const outage = {
    state: 'out',
    since: '2026-11-27T00:00:00.000Z',
    by: 'dial',
    error: 'UPSTREAM_REFUSED',
  } as const;
  const desk = createUpstreamsDesk(
    workers(
      { upstreams: [view({ inFlight: 3 }), view({ route: 'tcp', kinds: ['tcp'] })], more: 0 },
      {
        upstreams: [
          view({ ...outage, kinds: ['http'] }),
          view({ route: 'tcp', kinds: ['tcp'], state: 'gone' }),
        ],
        more: 2,
      },
    ),
  );
  const chat = view({ ...outage, kinds: ['websocket', 'http'], inFlight: 4, sessions: 2 });
  const tcp = view({ route: 'tcp', kinds: ['tcp'], inFlight: 2, sessions: 2 });
  expect(await desk.list(undefined)).toEqual({ upstreams: [chat, tcp], more: 2 });
  expect((await desk.list('tcp')).upstreams).toEqual([tcp]);
});

test('a worker that does not answer is named', async () => {
  const desk = createUpstreamsDesk(workers({ upstreams: [view({})], more: 0 }, undefined));
  expect(await desk.list(undefined)).toEqual({ upstreams: [view({})], more: 0, silent: [2] });
});
