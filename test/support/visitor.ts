import { Agent, request } from 'undici';
import { onTestFinished } from 'vitest';
import { type Conversation, converse } from './conversation.ts';
import type { Guarded } from './example.ts';

/** A client of https://app.example.com, which a gateway with an example's configuration is here. */

const ORIGIN = 'https://app.example.com';

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: object;
}

export interface Answered {
  readonly status: number;
  readonly body: string;
}

export interface Visitor {
  ask(path: string, asked?: Asked): Promise<Answered>;
  converse(path: string, protocols?: readonly string[]): Promise<Conversation>;
}

/** One that sends these header fields with everything; its connections end with the test. */
export function visitorOf({ gateway, ca }: Guarded, headers: Readonly<Record<string, string>>): Visitor {
  const dispatcher = new Agent({ connect: { ca } });
  onTestFinished(() => dispatcher.destroy());
  const host = `localhost:${gateway.port}`;
  const own = { host: 'app.example.com', ...headers };
  return {
    async ask(path, { method = 'GET', headers: more = {}, json } = {}) {
      const type = json === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await request(`https://${host}${path}`, {
        dispatcher,
        method,
        headers: { ...own, ...type, ...more },
        body: json === undefined ? null : JSON.stringify(json),
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    },
    converse: (path, protocols = []) => converse(`wss://${host}${path}`, protocols, { ca, headers: own }),
  };
}

/** Header fields of a page of the application, signed in at the gateway. */
export function pageHeaders({ token }: Guarded): Record<string, string> {
  return { origin: ORIGIN, cookie: `session=${token}` };
}
