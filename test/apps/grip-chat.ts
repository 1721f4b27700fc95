import { createServer } from 'node:http';
import { type IGripConfig, type WebSocketContext, WebSocketMessageFormat } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip/node';
import express, { type Request, type Response } from 'express';
import { serve } from './serve.ts';

/** A chat on Express with serve-grip, which knows nothing of what stands before it but where to publish. */

export interface GripChat {
  readonly port: number;
  /** What has happened on its connections, in order; nobody is named. */
  readonly heard: string[];
  /** Requests of connections that it has had. */
  readonly requests: number;
  /** Names the proxy before it; to be called before the first request. */
  standBehind(proxy: IGripConfig): void;
}

const ROOM = 'room';

/** `/chat/closed` is shut; elsewhere everybody is told what they said, unless it is a command, and what was told the room. */
export async function startGripChat(): Promise<GripChat> {
  const serveGrip = new ServeGrip({});
  const heard: string[] = [];
  let requests = 0;

  async function onMessage(context: WebSocketContext, message: Uint8Array | string): Promise<void> {
    if (typeof message !== 'string') return context.sendBinary(message);
    heard.push(message);
    const [command, rest = ''] = message.split(/ (.*)/s);
    if (command === '/say')
      await serveGrip.getPublisher().publishFormats(ROOM, new WebSocketMessageFormat(rest));
    else if (command === '/end')
      await serveGrip.getPublisher().publishFormats(ROOM, new WebSocketMessageFormat(null, true, 4002));
    else if (command === '/leave') context.unsubscribe(ROOM);
    else if (command === '/detach') context.detach();
    else if (command === '/close') context.close(rest === '' ? undefined : Number(rest));
    else if (command === '/name') context.meta.name = rest;
    else context.send(`${context.meta.name ?? 'you'}: ${message}`);
  }

  async function onRequest({ grip, path }: Request, response: Response): Promise<void> {
    requests++;
    const context = grip?.wsContext;
    if (!context) return void response.status(400).end('only WebSockets');
    if (path === '/chat/closed') return void response.status(403).type('text/plain').end('closed today');
    if (context.isOpening()) {
      heard.push('opened');
      context.accept();
      context.subscribe(ROOM);
    }
    while (context.canRecv()) {
      const message = receive(context);
      if (message === null) {
        heard.push(`closed with ${context.closeCode}`);
        context.close(context.closeCode ?? undefined);
        break;
      }
      if (message === undefined) heard.push('disconnected');
      else await onMessage(context, message);
    }
    response.end();
  }

  const app = express();
  app.use(serveGrip as unknown as express.RequestHandler);
  app.post('/{*path}', onRequest);
  return {
    port: await serve(createServer(app)),
    heard,
    get requests() {
      return requests;
    },
    standBehind: (proxy) => serveGrip.applyConfig({ grip: proxy, gripProxyRequired: true }),
  };
}

/** The next message; null for a Close, undefined for a client that is lost, at which the library throws. */
function receive(context: WebSocketContext): Uint8Array | string | null | undefined {
  try {
    return context.recvRaw();
  } catch {
    return undefined;
  }
}
