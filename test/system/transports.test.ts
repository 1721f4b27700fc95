import { Socket } from 'engine.io-client';
import { io } from 'socket.io-client';
import { describe, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import {
  CLIMB_MS,
  type Climb,
  climb,
  type Library,
  messages,
  PATHS,
  startGuarded,
  startOpen,
} from '../support/transports.ts';

/** Socket.IO and Engine.IO in Node, with the transports they choose by themselves, through one route. */

const CONNECT: Readonly<Record<Library, (url: string, options: object) => unknown>> = {
  'Socket.IO': (url, options) => io(url, { reconnection: false, forceNew: true, ...options }),
  'Engine.IO': (url, options) => new Socket(url, options),
};

function climbWith(library: Library, url: string, options: object = {}): Promise<Climb> {
  return within(climb(CONNECT[library], { url, options, count: 1_000 }), '1,000 messages', CLIMB_MS);
}

/** Polls the gateway has passed on, and WebSockets it has opened, as it has logged them. */
function carried({ log }: TestGateway, library: Library) {
  const ours = log.filter(({ path }) => path === PATHS[library]);
  return {
    polls: ours.filter(({ msg }) => msg === 'request served'),
    webSockets: ours.filter(({ msg }) => msg === 'session opened'),
  };
}

describe.each<Library>(['Socket.IO', 'Engine.IO'])('%s', (library) => {
  test('connects by polling, goes on by WebSocket, and says 1,000 messages through one route', async () => {
    const { gateway } = await startOpen();
    const { transports, echoes } = await climbWith(library, `http://127.0.0.1:${gateway.port}`);
    expect(transports).toEqual(['polling', 'websocket']);
    expect(echoes).toEqual(messages(1_000));
    await gateway.logged(({ msg }) => msg === 'session ended');
    const { polls, webSockets } = carried(gateway, library);
    expect(polls.length).toBeGreaterThan(1);
    expect(webSockets).toMatchObject([{ route: 'app', bridge: 'websocket' }]);
  });
});

describe.each<Library>(['Socket.IO', 'Engine.IO'])('%s behind a cookie', (library) => {
  async function startScene() {
    const scene = await startGuarded();
    function visit(origin: string, cookie: string) {
      const options = { ca: scene.ca, extraHeaders: { origin, cookie } };
      return climbWith(library, `https://localhost:${scene.gateway.port}`, options);
    }
    return { ...scene, visit };
  }

  test('does the same, and the application sees who it is, never the token', async () => {
    const { app, gateway, token, visit } = await startScene();
    const climbed = await visit('https://app.example.com', `theme=dark; session=${token}`);
    expect(climbed).toEqual({ transports: ['polling', 'websocket'], echoes: messages(1_000) });
    await gateway.logged(({ msg }) => msg === 'session ended');
    expect(carried(gateway, library).webSockets).toMatchObject([{ route: 'app', subject: 'alice' }]);
    expect(app.requests.map(({ headers }) => headers.upgrade)).toContain('websocket');
    for (const { headers } of app.requests)
      expect(headers).toMatchObject({ cookie: 'theme=dark', 'x-user': 'alice' });
  });

  test.each([
    { whose: 'nobody', error: 'TOKEN_MISSING' },
    { whose: 'a foreign page', error: 'ORIGIN_REFUSED' },
  ])('of $whose is refused at its first poll', async ({ whose, error }) => {
    const { app, gateway, token, visit } = await startScene();
    const origin = whose === 'a foreign page' ? 'https://evil.example.com' : 'https://app.example.com';
    const cookie = whose === 'nobody' ? 'theme=dark' : `session=${token}`;
    await expect(visit(origin, cookie)).rejects.toThrow('xhr poll error');
    await gateway.logged((line) => line.msg === 'request refused' && line.error === error);
    expect(app.requests).toEqual([]);
  });
});
