import type { WebSocketEvent, WebSocketLike } from './wire.ts';

/** What of WebSocketStream is used here. */
interface WebSocketStreamLike {
  readonly opened: Promise<{
    readonly readable: ReadableStream<string | ArrayBuffer>;
    readonly writable: WritableStream<unknown>;
    readonly protocol: string;
  }>;
  readonly closed: Promise<{ readonly closeCode: number; readonly reason: string }>;
  close(info: { readonly closeCode: number | undefined; readonly reason: string | undefined }): void;
}

declare const WebSocketStream: new (
  url: string,
  options: { readonly protocols: string[] },
) => WebSocketStreamLike;

/** Chromium's pages have it. */
export const hasWebSocketStream = (): boolean => typeof WebSocketStream === 'function';

/** A WebSocket on a WebSocketStream: the next message comes when the listener of the last has resolved, and is not even received before. */
export class HeldWebSocket implements WebSocketLike {
  readonly binaryType = 'arraybuffer';
  protocol = '';
  bufferedAmount = 0;
  readonly #stream: WebSocketStreamLike;
  readonly #listeners: Record<string, (event: WebSocketEvent) => unknown> = {};
  #writer: WritableStreamDefaultWriter | undefined;

  constructor(url: string, protocols: string[]) {
    this.#stream = new WebSocketStream(url, { protocols });
    void this.#run();
  }

  /** One for each type. */
  addEventListener(type: string, listener: (event: WebSocketEvent) => unknown): void {
    this.#listeners[type] = listener;
  }

  async send(data: string | ArrayBufferView): Promise<void> {
    const { length } = data as Uint8Array;
    this.bufferedAmount += length;
    await this.#writer?.write(data).catch(() => {});
    this.bufferedAmount -= length;
  }

  close(closeCode?: number, reason?: string): void {
    this.#stream.close({ closeCode, reason });
  }

  async #run(): Promise<void> {
    const { opened, closed } = this.#stream;
    const closing = closed.catch(() => ({ closeCode: 1006, reason: '' }));
    try {
      const { readable, writable, protocol } = await opened;
      this.protocol = protocol;
      this.#writer = writable.getWriter();
      this.#tell('open', {});
      for await (const data of readable) await this.#tell('message', { data });
    } catch {
      // The Close says why.
    }
    const { closeCode: code, reason } = await closing;
    this.#tell('close', { code, reason });
  }

  #tell(type: string, event: object): unknown {
    return this.#listeners[type]?.({ type, ...event });
  }
}
