import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text as bodyOf } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Changes, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { inboxOf, until } from '../support/poll.ts';
import { startPushpin } from '../support/pushpin.ts';
import { type GripChat, startGripChat } from './grip-chat.ts';

/**
 * An application made for Pushpin, with serve-grip on Express: the gateway takes Pushpin's place, and neither the application
 * nor its clients notice. What is said below is said behind both, and must be the same word for word.
 */

const SIGNING = 'changeme';
const SECRET = '0123456789abcdef0123456789abcdef';

interface Scene {
  readonly chat: GripChat;
  /** Resolves when a connection that the application has let go of can be relied on. */
  detached(): Promise<void>;
  connect(path?: string): WebSocket;
}

type Start = () => Promise<Scene>;

async function behindPushpin(): Promise<Scene> {
  const chat = await startGripChat();
  const { port, controlUri } = await startPushpin(chat.port);
  chat.standBehind({ control_uri: controlUri, verify_key: SIGNING, verify_iss: 'pushpin' });
  return {
    chat,
    // Until then it may lose what is published.
    detached: () => until(() => chat.heard.includes('closed with null'), 'the end', 10_000),
    connect: (path = '/chat/blue') => client(`ws://127.0.0.1:${port}${path}`, {}),
  };
}

/** Told of ends as by Pushpin, which is not what the example says. */
const LIKE_PUSHPIN = {
  'closeReason: false': 'closeReason: true',
  'disconnectEvent: false': 'disconnectEvent: true',
};

async function behindGateway(
  publisher: { control_iss?: string } = {},
  changes: Changes = LIKE_PUSHPIN,
): Promise<Scene> {
  const chat = await startGripChat();
  const { gateway, ca, token } = await startGuardedExample('pushpin', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${chat.port}`,
    '${PUSHPIN_SIG_KEY}': SIGNING,
    '${PUSH_SECRET}': SECRET,
    'port: 9090': 'port: 0',
    ...changes,
  });
  chat.standBehind({
    control_uri: `http://127.0.0.1:${gateway.gateway.adminAddress?.port}`,
    key: SECRET,
    verify_key: SIGNING,
    verify_iss: 'pushpin',
    ...publisher,
  });
  const headers = { host: 'app.example.com', origin: 'https://app.example.com', cookie: `session=${token}` };
  return {
    chat,
    detached: () => Promise.resolve(),
    connect: (path = '/chat/blue') => client(`wss://localhost:${gateway.port}${path}`, { ca, headers }),
  };
}

function client(url: string, options: object): WebSocket {
  const webSocket = new WebSocket(url, options).on('error', () => {});
  onTestFinished(() => webSocket.terminate());
  return webSocket;
}

/** What one client saw of its connection, and what the application did. */
interface Transcript {
  readonly clients: readonly (readonly string[])[];
  readonly heard: readonly string[];
}

/** A client that writes down what it sees. */
function visitor(webSocket: WebSocket) {
  const seen: string[] = [];
  const inbox = inboxOf(webSocket);
  webSocket.on('message', (data, binary) =>
    seen.push(binary ? `bytes ${(data as Buffer).toString('hex')}` : `${data}`),
  );
  const opened = new Promise((resolve) => webSocket.on('open', resolve));
  const closed = new Promise<void>((resolve) => {
    webSocket.on('close', (code, reason) => resolve(void seen.push(`closed ${code} ${reason}`)));
  });
  return {
    seen,
    webSocket,
    hears: (count: number) => inbox.atLeast(count, 10_000),
    opened: () => within(opened, 'an open WebSocket', 10_000),
    closed: () => within(closed, 'the end of a WebSocket', 10_000),
  };
}

/** Two clients that have been answered once: Pushpin takes them into their room in the background. */
async function visitors(connect: Scene['connect']) {
  const pair = [visitor(connect()), visitor(connect())] as const;
  for (const one of pair) {
    await one.opened();
    one.webSocket.send('hello');
    await one.hears(1);
  }
  return pair;
}

const SCENARIOS: Readonly<Record<string, (scene: Scene) => Promise<Transcript>>> = {
  async 'says everything back, of whatever kind'({ chat, connect }) {
    const one = visitor(connect('/chat/blue?a=1'));
    await one.opened();
    const said = ['hello', 'κόσμε', '', Buffer.from([0, 1, 255]), 'x'.repeat(50_000), '/name ann', 'bye'];
    for (const [index, message] of said.entries()) {
      one.webSocket.send(message);
      if (index !== 5) await one.hears(index < 5 ? index + 1 : index);
    }
    one.webSocket.close(1000);
    await one.closed();
    await until(() => chat.heard.includes('closed with 1000'));
    return { clients: [one.seen], heard: chat.heard };
  },
  async 'keeps the order of many'({ chat, connect }) {
    const one = visitor(connect());
    await one.opened();
    for (let number = 0; number < 500; number++) one.webSocket.send(`${number}`);
    await one.hears(500);
    one.webSocket.close(1000);
    await one.closed();
    await until(() => chat.heard.includes('closed with 1000'));
    expect(chat.requests).toBeLessThan(250);
    return { clients: [one.seen], heard: chat.heard };
  },
  async 'is closed by either side, with a code'({ chat, connect }) {
    const [one, other] = [visitor(connect()), visitor(connect())];
    await Promise.all([one.opened(), other.opened()]);
    one.webSocket.close(4001);
    await one.closed();
    await until(() => chat.heard.includes('closed with 4001'));
    other.webSocket.send('/close 4003');
    await other.closed();
    await until(() => chat.heard.includes('closed with 4003'));
    return { clients: [one.seen, other.seen], heard: chat.heard };
  },
  async 'tells all in a room, until they leave or it is closed'({ chat, connect }) {
    const [one, other] = await visitors(connect);
    one.webSocket.send('/say hello all');
    await Promise.all([one.hears(2), other.hears(2)]);
    other.webSocket.send('/leave');
    other.webSocket.send('left');
    await other.hears(3);
    one.webSocket.send('/say only one');
    await one.hears(3);
    one.webSocket.send('/end');
    await one.closed();
    other.webSocket.send('still here');
    await other.hears(4);
    // Pushpin does not tell with which code a room was closed.
    return {
      clients: [one.seen, other.seen],
      heard: chat.heard.filter((line) => !line.startsWith('closed')),
    };
  },
  async 'lives on by its room when the application lets go of it'({ chat, connect, detached }) {
    const [one, other] = await visitors(connect);
    one.webSocket.send('/detach');
    await until(() => chat.heard.includes('/detach'));
    await detached();
    other.webSocket.send('/say are you there');
    await Promise.all([one.hears(2), other.hears(2)]);
    one.webSocket.send('nobody hears it');
    other.webSocket.send('/say and now');
    await Promise.all([one.hears(3), other.hears(3)]);
    one.webSocket.close(1000);
    await one.closed();
    // Pushpin tells the application that lets go of a connection that it was closed.
    return {
      clients: [one.seen, other.seen],
      heard: chat.heard.filter((line) => !line.startsWith('closed')),
    };
  },
  async 'is refused by the application in its own words'({ chat, connect }) {
    const webSocket = connect('/chat/closed');
    const [, message] = (await within(once(webSocket, 'unexpected-response'), 'a refusal')) as [
      unknown,
      IncomingMessage,
    ];
    const type = message.headers['content-type'] ?? '';
    return { clients: [[`${message.statusCode}`, type, await bodyOf(message)]], heard: chat.heard };
  },
  async 'tells of a client that is lost'({ chat, connect }) {
    const one = visitor(connect());
    await one.opened();
    one.webSocket.send('hello');
    await one.hears(1);
    one.webSocket.terminate();
    await until(() => chat.heard.includes('disconnected'));
    return { clients: [['hello']], heard: chat.heard };
  },
};

describe('an application made for Pushpin', () => {
  // Pushpin reaches rooms by processes that do not wait for one another.
  test.each(Object.keys(SCENARIOS))('%s', { retry: 2 }, async (name) => {
    const play = async (start: Start) => SCENARIOS[name]?.(await start());
    const expected = await play(behindPushpin);
    expect(expected?.clients[0]?.length).toBeGreaterThan(0);
    expect(await play(() => behindGateway())).toEqual(expected);
  });
});

describe('what Pushpin gets wrong', () => {
  test('is right: a Close without a code, from either side', async () => {
    const { chat, connect } = await behindGateway();
    const [one, other] = await visitors(connect);
    one.webSocket.close();
    await one.closed();
    await until(() => chat.heard.includes('closed with null'));
    other.webSocket.send('/close');
    await other.closed();
    expect([one.seen, other.seen]).toEqual([
      ['you: hello', 'closed 1005 '],
      ['you: hello', 'closed 1000 '],
    ]);
  });

  test('is right: ends are told in the words that serve-grip knows', async () => {
    const { chat, connect } = await behindGateway({}, {});
    const [one, other] = await visitors(connect);
    one.webSocket.close(4001, 'with a reason');
    await one.closed();
    await until(() => chat.heard.includes('closed with 4001'));
    other.webSocket.terminate();
    await until(() => chat.heard.includes('closed with null'));
    expect(chat.heard).not.toContain('disconnected');
  });

  test('is right: a message of more than 200 kB', async () => {
    const { connect } = await behindGateway();
    const [one] = await visitors(connect);
    one.webSocket.send('x'.repeat(500_000));
    await one.hears(2);
    expect(one.seen[1]).toHaveLength(500_005);
  });

  test('is right: who closes a room is told to the application by its code', async () => {
    const { chat, connect } = await behindGateway();
    const [one, other] = await visitors(connect);
    one.webSocket.send('/end');
    await Promise.all([one.closed(), other.closed()]);
    await until(() => chat.heard.filter((line) => line === 'closed with 4002').length === 2);
  });
});

test('a GRIP_URL with an issuer publishes by a token that is signed with the key', async () => {
  const { chat, connect } = await behindGateway({ control_iss: 'app' });
  const [one, other] = await visitors(connect);
  one.webSocket.send('/say hello all');
  await Promise.all([one.hears(2), other.hears(2)]);
  expect([one.seen[1], chat.heard.at(-1)]).toEqual(['hello all', '/say hello all']);
});
