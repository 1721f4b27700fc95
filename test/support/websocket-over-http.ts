import { onTestFinished } from 'vitest';
import { ChannelHub, type Channels, type Item } from '../../src/bridge/poll/channels.ts';
import type { Message, Profile, ServiceEnd, SessionControls } from '../../src/bridge/poll/profile.ts';
import { compileWebSocketOverHttp } from '../../src/bridge/poll/websocket-over-http/index.ts';
import type { WebSocketOverHttpConfig } from '../../src/config/poll/index.ts';
import { sessionConfigOf } from '../../src/config/poll/index.ts';
import type { HttpAnswer, HttpRequest } from '../../src/upstream/client.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';
import { pollRoute } from './poll.ts';

/** The profile websocket-over-http by itself: what it writes and how it reads, without a socket. */

/** An answer of the service, 200 with events unless `headers` or `status` say otherwise. */
export function answer(body: string | Buffer, headers: object = {}, status = 200): HttpAnswer {
  const fields = { 'content-type': 'application/websocket-events', ...headers };
  return { status, headers: fields, body: Buffer.from(body) };
}

export const text = (data: string): Message => ({ data: Buffer.from(data), binary: false });
export const textsOf = (messages: readonly Message[] = []) => messages.map(({ data }) => data.toString());
export const bodyOf = (request: HttpRequest | undefined) => request?.body?.toString();

/** The profile of one session, as `poll` in a configuration describes it. */
export function createProfile(poll: object = {}, request: Partial<AdmittedRequest> = {}): Profile {
  const route = pollRoute({ profile: 'websocket-over-http', target: 'http://127.0.0.1:1', ...poll });
  const profile = compileWebSocketOverHttp(sessionConfigOf(route.upstream) as WebSocketOverHttpConfig).create(
    {
      connectionId: 'c-1',
      path: '/chat',
      query: undefined,
      protocols: [],
      upstreamHeaders: [],
      ...request,
    } as AdmittedRequest,
  );
  onTestFinished(() => profile.finish?.());
  return profile;
}

/** A session that stands by itself: what the profile asks of it is written down. */
export interface FakeSession extends SessionControls {
  readonly delivered: string[];
  readonly ends: ServiceEnd[];
  readonly nudges: number;
  /** Channels that are listened to. */
  readonly listening: string[];
  /** Publishes to one channel; resolves with whether the session took it. */
  publish(channel: string, item: Item): Promise<boolean>;
}

export function fakeSession(): FakeSession {
  const delivered: string[] = [];
  const ends: ServiceEnd[] = [];
  const listening = new Set<string>();
  const hub = new ChannelHub();
  const member = hub.join(1024 * 1024);
  let nudges = 0;
  const channels: Channels = {
    subscribe(channel, subscriber) {
      const undo = member.subscribe(channel, subscriber);
      listening.add(channel);
      return () => {
        undo();
        listening.delete(channel);
      };
    },
  };
  return {
    connection: 'c-1',
    channels,
    delivered,
    ends,
    get nudges() {
      return nudges;
    },
    get listening() {
      return [...listening];
    },
    async deliver(messages) {
      delivered.push(...textsOf(messages));
      return true;
    },
    end: (end) => void ends.push(end),
    nudge: () => void nudges++,
    publish: async (channel, item) => (await hub.publish(channel, item)) > 0,
  };
}

/** A session whose service has answered the OPEN with `body`. */
export function openSession(
  body = 'OPEN\r\n',
  { headers, poll, request }: { headers?: object; poll?: object; request?: Partial<AdmittedRequest> } = {},
) {
  const profile = createProfile(poll, request);
  const opening = profile.opened(answer(body, headers));
  const session = fakeSession();
  profile.begin?.(session);
  const { sends } = profile;
  if (sends?.sent === undefined || sends.batch === undefined) throw new Error('it takes no messages');
  return { profile, opening, session, sends, sent: sends.sent, batch: sends.batch };
}
