import { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { carry } from '../../src/cli/tunnel/carry.ts';
import type { TcpConnection } from '../../src/client/index.ts';
import { within } from '../support/patience.ts';

/** A service that has said something and finished, and hears all. */
function finishedService(text: string): TcpConnection & { readonly heard: string } {
  let heard = '';
  return {
    readable: new Blob([text]).stream(),
    writable: new WritableStream({
      write: (chunk) => {
        heard += Buffer.from(chunk).toString();
      },
    }),
    opened: Promise.resolve({ session: '', peer: '', protocol: '' }),
    closed: Promise.resolve(),
    close: async () => {},
    get heard() {
      return heard;
    },
  };
}

/** Takes nothing. */
const stuck = () => new Writable({ write: () => {} });
/** Says nothing, and does not end. */
const silent = () => new Readable({ read: () => {} });

test('it ends by its signal though this side does not take what has come', async () => {
  const stop = new AbortController();
  const traffic = { up: 0, down: 0 };
  const local = { input: Readable.from([]), output: stuck() };
  const carrying = carry(local, finishedService('bye'), { traffic, signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(within(carrying, 'the end')).rejects.toThrow('enough');
});

test('a service that ends both directions at once is not waited for', async () => {
  const parts: string[] = [];
  const output = new Writable({
    write(chunk, _encoding, done) {
      parts.push(String(chunk));
      done();
    },
  });
  const traffic = { up: 0, down: 0 };
  const { signal } = new AbortController();
  await within(carry({ input: silent(), output }, finishedService('bye'), { traffic, signal }), 'the end');
  expect([parts, traffic]).toEqual([['bye'], { up: 0, down: 3 }]);
});

describe('whoever is faster waits', () => {
  const PARTS = 1_000;
  const part = Buffer.alloc(64 * 1024);
  const enough = { traffic: { up: 0, down: 0 }, signal: new AbortController().signal };

  /** As many turns as all parts would take. */
  async function turns(): Promise<void> {
    for (let count = 0; count < PARTS; count++) await turn();
  }

  test('the service for this side', async () => {
    let read = 0;
    const readable = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (read++ < PARTS) controller.enqueue(part);
        else controller.close();
      },
    });
    void carry(
      { input: silent(), output: stuck() },
      { ...finishedService(''), readable, closed: never() },
      enough,
    );
    await turns();
    expect(read).toBeLessThan(10);
  });

  test('this side for the service', async () => {
    let read = 0;
    const input = new Readable({
      read() {
        this.push(read++ < PARTS ? part : null);
      },
    });
    const writable = new WritableStream<Uint8Array>({ write: () => never() });
    void carry({ input, output: stuck() }, { ...finishedService(''), writable, closed: never() }, enough);
    await turns();
    expect(read).toBeLessThan(10);
  });
});

function never(): Promise<never> {
  return new Promise(() => {});
}
