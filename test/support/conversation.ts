import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { tooLate, within } from './patience.ts';

/** A WebSocket on which a protocol of text is spoken, whatever messages the other side cuts it into. */
export interface Conversation {
  readonly webSocket: WebSocket;
  say(text: string): void;
  /** Resolves with the first match in what has not been heard yet, now or when it comes. What is before it counts as heard. */
  hear(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  /** Ends it, and resolves with the close code of the other side. */
  part(): Promise<number>;
}

/** Servers of several megabytes wake up late on a busy machine. */
const HEAR_MS = 10_000;

/** Opens one; terminated when the test has finished. Rejects if it is not accepted. */
export async function converse(
  url: string,
  protocols: readonly string[],
  options: ClientOptions,
): Promise<Conversation> {
  const webSocket = new WebSocket(url, [...protocols], options);
  onTestFinished(() => webSocket.terminate());
  let unheard = '';
  const onNews = new Set<() => void>();
  webSocket.on('message', (data) => {
    unheard += String(data);
    for (const wake of onNews) wake();
  });
  webSocket.on('close', () => {
    for (const wake of onNews) wake();
  });
  await within(once(webSocket, 'open'), `the opening of ${url}`, HEAR_MS);
  // Errors of an open one show as its end.
  webSocket.on('error', () => {});

  function take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(unheard) ?? undefined;
    if (found !== undefined) unheard = unheard.slice(found.index + found[0].length);
    return found;
  }

  async function hear(pattern: RegExp, ms = HEAR_MS): Promise<RegExpExecArray> {
    const deadline = performance.now() + ms;
    for (;;) {
      const found = take(pattern);
      if (found !== undefined) return found;
      const left = deadline - performance.now();
      if (left <= 0 || webSocket.readyState === WebSocket.CLOSED) {
        throw tooLate(`${pattern} (${webSocket.readyState}), but: ${unheard}`, ms);
      }
      await news(left);
    }
  }

  /** Resolves when something has happened, or the time is over. */
  async function news(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    onNews.add(resolve);
    await promise;
    onNews.delete(resolve);
    clearTimeout(timer);
  }

  async function part(): Promise<number> {
    const closed = once(webSocket, 'close') as Promise<[number]>;
    webSocket.close(1000);
    const [code] = await within(closed, `the end of ${url}`);
    return code;
  }

  return { webSocket, say: (text) => webSocket.send(text), hear, part };
}
