/** What the tests use of Faye, which brings no types. */
declare module 'faye' {
  import type { Server } from 'node:http';

  interface Message {
    channel: string;
    clientId?: string;
    data?: unknown;
    error?: string;
  }

  interface Subscription extends PromiseLike<void> {
    cancel(): void;
  }

  export class NodeAdapter {
    constructor(options: { mount: string; timeout?: number });
    attach(server: Server): void;
    on(event: 'handshake' | 'disconnect', handler: (clientId: string) => void): void;
    on(event: 'publish', handler: (clientId: string, channel: string, data: unknown) => void): void;
    getClient(): Client;
    close(): void;
  }

  export class Client {
    constructor(endpoint: string, options?: { timeout?: number; retry?: number });
    on(event: 'transport:up' | 'transport:down', handler: () => void): void;
    subscribe(channel: string, handler: (data: unknown) => void): Subscription;
    publish(channel: string, data: unknown): PromiseLike<void>;
    disconnect(): PromiseLike<void>;
  }

  const faye: { NodeAdapter: typeof NodeAdapter; Client: typeof Client };
  export default faye;
}
