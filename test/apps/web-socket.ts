import { onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { Guarded } from '../support/example.ts';

/** WebSockets for clients written for pages, which say an address and subprotocols and leave the rest to the browser. */

/** A class like the browser's `WebSocket`, which trusts the gateway's certificate and brings these header fields. */
export function webSocketWith({ ca }: Guarded, headers: Readonly<Record<string, string>>) {
  return class extends WebSocket {
    constructor(url: string, protocols: string | string[] = []) {
      super(url, protocols, { ca, headers: { host: 'app.example.com', ...headers } });
      // Errors after the client has stopped to listen, beside its own.
      this.on('error', () => {});
      onTestFinished(() => this.terminate());
    }
  };
}

/** Puts such a class in the place of the global `WebSocket`, for clients that can be given none, until the test has finished. */
export function browseWith(guarded: Guarded, headers: Readonly<Record<string, string>>): void {
  vi.stubGlobal('WebSocket', webSocketWith(guarded, headers));
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
}
