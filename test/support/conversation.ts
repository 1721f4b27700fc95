import { EventEmitter, once } from 'node:events';
import { onTestFinished } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { tooLate, within } from './patience.ts';

/** Servers of many megabytes wake up late on a busy machine. */
const HEAR_MS = 10_000;

/** Opens a WebSocket to talk on; terminated when the test has finished. Rejects if it is not accepted. */
export async function converse(
  url: string,
  protocols: readonly string[],
  options: ClientOptions,
): Promise<Conversation> {
  const webSocket = new WebSocket(url, [...protocols], options);
  onTestFinished(() => webSocket.terminate());
  const conversation = new Conversation(webSocket);
  await within(once(webSocket, 'open'), `the opening of ${url}`, HEAR_MS);
  // Errors of an open one show as its end.
  webSocket.on('error', () => {});
  return conversation;
}

/** A protocol of text on a WebSocket, whatever messages the other side cuts it into. */
export class Conversation {
  readonly webSocket: WebSocket;
  #unheard = '';
  /** Emits `news` when something has come, or nothing will any more. */
  readonly #events = new EventEmitter();

  constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('message', (data) => {
      this.#unheard += String(data);
      this.#events.emit('news');
    });
    webSocket.on('close', () => this.#events.emit('news'));
  }

  say(text: string): void {
    this.webSocket.send(text);
  }

  /** Resolves with the first match in what has not been heard yet, now or when it comes. What is before it counts as heard. */
  async hear(pattern: RegExp, ms = HEAR_MS): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(ms);
    for (;;) {
      const found = pattern.exec(this.#unheard);
      if (found !== null) {
        this.#unheard = this.#unheard.slice(found.index + found[0].length);
        return found;
      }
      if (deadline.aborted || this.webSocket.readyState === WebSocket.CLOSED)
        throw tooLate(`${pattern} in ${JSON.stringify(this.#unheard)}`, ms);
      await once(this.#events, 'news', { signal: deadline }).catch(() => {});
    }
  }

  /** Closes it with 1000, and resolves with the code of the other side. */
  async part(): Promise<number> {
    const closed = once(this.webSocket, 'close') as Promise<[number]>;
    this.webSocket.close(1000);
    const [code] = await within(closed, 'the end of the conversation');
    return code;
  }
}
