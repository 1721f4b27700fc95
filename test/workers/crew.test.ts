import { describe, expect, test, vi } from 'vitest';
import { Crew, type CrewObserver } from '../../src/workers/crew.ts';
import { Line } from '../../src/workers/line.ts';
import { Pauses } from '../../src/workers/pauses.ts';
import type { Exit, WorkerProcess } from '../../src/workers/processes.ts';
import { ORDERS, READY } from '../../src/workers/spare.ts';
import { eventually } from '../support/patience.ts';
import { wayPair } from '../support/ways.ts';

/** A worker in this process, as far as its primary can tell. */
interface Played {
  readonly started: WorkerProcess;
  /** Its own end of the line. */
  readonly line: Line;
  readonly orders: unknown[];
  end(exit: Exit): void;
}

/** Plays processes; `listens` is whether they listen as soon as they have their orders. Those that begin after `stall` never load their code. */
function stage(size: number, listens = true) {
  const played: Played[] = [];
  const observer = { began: vi.fn(() => gone), listening: vi.fn(), died: vi.fn() } satisfies CrewObserver;
  const gone = vi.fn();
  let loads = true;
  function fork(): WorkerProcess {
    const way = wayPair();
    const { promise: exited, resolve } = Promise.withResolvers<Exit>();
    const line = new Line(way.far);
    const orders: unknown[] = [];
    function end(exit: Exit): void {
      way.cut();
      resolve(exit);
    }
    const kill = () => end({ code: null, signal: 'SIGKILL' });
    const started = { pid: 1_000 + played.length, way: way.near, exited, kill };
    played.push({ started, line, orders, end });
    if (!loads) return started;
    for (const topic of ['close', 'end']) line.answer(topic, () => end({ code: 0, signal: null }));
    line.answer(ORDERS, (what: unknown) => {
      orders.push(what);
      if (listens) line.say('listening', ['address']);
    });
    line.say(READY);
    return started;
  }
  function stall(): void {
    loads = false;
  }
  const crew = new Crew({ size, fork, orders: (number) => number, observer });
  return { crew, played, observer, gone, stall };
}

const KILLED: Exit = { code: null, signal: 'SIGKILL' };

describe('at the start', () => {
  test('all get their orders, and it is told where they listen', async () => {
    const { crew, played, observer } = stage(3);
    expect(crew.isStarting).toBe(true);
    expect(await crew.start()).toEqual(['address']);
    expect(crew.isStarting).toBe(false);
    expect(played.slice(0, 3).map(({ orders }) => orders)).toEqual([[1], [2], [3]]);
    expect(observer.listening).toHaveBeenCalledTimes(3);
    await crew.close(1_000);
  });

  test('one that cannot begin ends all, and says why', async () => {
    const { crew, played } = stage(2, false);
    const failed = expect(crew.start()).rejects.toMatchObject({ message: 'the port is taken', exitCode: 1 });
    played[1]?.line.say('failed', { text: 'the port is taken', exitCode: 1 });
    await failed;
    expect([...crew]).toEqual([]);
  });

  test('so does one that just ends', async () => {
    const { crew, played } = stage(2, false);
    const failed = expect(crew.start()).rejects.toThrow('worker 1 could not start: it was ended by SIGKILL');
    played[0]?.end(KILLED);
    await failed;
    expect([...crew]).toEqual([]);
  });

  test('and one that the system does not start', async () => {
    const { crew, played } = stage(2, false);
    const failed = expect(crew.start()).rejects.toThrow(
      'worker 1 could not start: the system starts no process',
    );
    played[0]?.end({ code: null, signal: null });
    await failed;
  });
});

describe('one that dies', () => {
  test('is replaced by the one that waits, and told of', async () => {
    const { crew, played, observer, gone } = stage(2);
    await crew.start();
    const spare = played[2] as Played;
    expect(spare.orders).toEqual([]);
    played[0]?.end(KILLED);
    expect(gone).toHaveBeenCalledTimes(1);
    await eventually(
      () => observer.listening.mock.calls.length === 3,
      () => 'it has not been replaced',
    );
    expect(spare.orders).toEqual([1]);
    expect(observer.died).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ number: 1, name: '1.1', pid: 1_000 }),
      KILLED,
      0,
      undefined,
    );
    expect([...crew].map(({ name }) => name).sort()).toEqual(['1.3', '2.2']);
    await crew.close(1_000);
  });

  test('is replaced by a new one where the one that waits is gone, too', async () => {
    const { crew, played, observer } = stage(2);
    await crew.start();
    played[2]?.end(KILLED);
    await Promise.resolve();
    played[1]?.end(KILLED);
    await eventually(
      () => observer.listening.mock.calls.length === 3,
      () => 'it has not been replaced',
    );
    expect(observer.died).toHaveBeenCalledTimes(1);
    await crew.close(1_000);
  });
});

describe('at the end', () => {
  test('all are told, none is replaced, and who waits ends, too', async () => {
    const { crew, played, observer } = stage(2);
    await crew.start();
    await crew.close(60_000);
    expect([...crew]).toEqual([]);
    expect(observer.died).not.toHaveBeenCalled();
    expect(played).toHaveLength(3);
    await Promise.all(played.map(({ started }) => started.exited));
  });

  test('one that still loads its code hears nothing, and begins nothing any more', async () => {
    const { crew, played, stall } = stage(2);
    await crew.start();
    stall();
    played[2]?.end(KILLED);
    await Promise.resolve();
    played[0]?.end(KILLED);
    await eventually(
      () => played.length === 4,
      () => 'it has not been replaced',
    );
    await crew.close(60_000);
    expect(await played[3]?.started.exited).toEqual(KILLED);
    expect(played[3]?.orders).toEqual([]);
  });

  test('who does not end in time is ended', async () => {
    const { crew, played } = stage(2);
    await crew.start();
    for (const { line } of played) line.answer('close', () => {});
    await crew.close(20);
    expect(await played[0]?.started.exited).toEqual(KILLED);
  });

  test('again is a no-op', async () => {
    const { crew } = stage(2);
    await crew.start();
    await Promise.all([crew.close(1_000), crew.end()]);
    await crew.end();
  });
});

test('the pauses grow while a worker keeps dying, and are forgotten when it is well', () => {
  let now = 0;
  const pauses = new Pauses(() => now);
  function live(ms: number): number {
    pauses.begin();
    now += ms;
    return pauses.next();
  }
  expect([live(1), live(1), live(1), live(1)]).toEqual([0, 100, 200, 400]);
  for (let index = 0; index < 20; index++) live(1);
  expect(live(1)).toBe(30_000);
  expect([live(60_000), live(1)]).toEqual([0, 0]);
});
