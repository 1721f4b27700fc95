import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Application, startApplication } from '../support/application.ts';
import { eventually } from '../support/census.ts';
import { handshake, open, say, TEXT } from '../support/raw.ts';
import { startSwappable } from '../support/swappable.ts';

/** The table of routes is replaced while requests and sessions are under way. */

let old: Application;
let next: Application;
beforeAll(async () => {
  old = await startApplication('old');
  next = await startApplication('new');
});
afterAll(async () => {
  await old.close();
  await next.close();
});

function route(name: string, { port }: { port: number }, limits = '{}'): string {
  return `  - { name: ${name}, match: { path: /* }, auth: none, limits: ${limits}, upstream: { http: "http://127.0.0.1:${port}" } }`;
}

async function body(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/x`)).text();
}

describe('when the table is replaced', () => {
  test('an open session goes on, new requests take the new routes, and the old route closes once, with its last session', async () => {
    await using gateway = await startSwappable(route('before', old));
    using first = await open(gateway.port, '/x');
    using second = await open(gateway.port, '/x');
    gateway.routes.replace(gateway.compile(route('after', next)));

    expect(await body(gateway.port)).toBe('new page /x');
    using third = await open(gateway.port, '/x');
    expect((await third.message()).toString()).toBe('new socket /x');
    first.send(TEXT, 'still here');
    await first.until(() => first.frames.length === 2, 'an echo');

    first.sendClose(1000);
    await first.ended();
    await eventually(() => gateway.sessions.size === 2);
    expect(gateway.closed).toEqual([]);
    second.sendClose(1000);
    await second.ended();
    await eventually(() => gateway.closed.length > 0);
    expect(gateway.closed).toEqual(['before']);
    expect(await body(gateway.port)).toBe('new page /x');
  });

  test('a route nobody uses gives its connections back at once', async () => {
    await using gateway = await startSwappable(route('before', old));
    const before = await old.connections();
    await body(gateway.port);
    expect(await old.connections()).toBe(before + 1);
    gateway.routes.replace(gateway.compile(route('after', next)));
    expect(gateway.closed).toEqual(['before']);
    await eventually(async () => (await old.connections()) === before);
  });

  test('a plain request under way is answered by the route it took', async () => {
    const asked = Promise.withResolvers<() => void>();
    const server = createServer();
    await using slow = await startApplication('slow', server);
    server
      .removeAllListeners('request')
      .on('request', (_request, response) => asked.resolve(() => response.end('slow')));
    await using gateway = await startSwappable(route('before', slow));
    const answer = body(gateway.port);
    const finish = await asked.promise;
    gateway.routes.replace(gateway.compile(route('after', next)));
    expect(gateway.closed).toEqual([]);
    finish();
    expect(await answer).toBe('slow');
    await eventually(() => gateway.closed.length > 0);
    expect(gateway.closed).toEqual(['before']);
  });

  test('a handshake that is refused lets go of its route, too', async () => {
    await using gateway = await startSwappable(route('before', { port: 1 }));
    using client = await say(gateway.port, handshake('/x'));
    expect((await client.answer()).status).toBe(502);
    gateway.routes.replace([]);
    expect(gateway.closed).toEqual(['before']);
  });

  test('places and rates are counted on under the same name and rule', async () => {
    const limits = '{ upgrades: { rate: 3/h, per: route }, connections: { max: 1, per: route } }';
    await using gateway = await startSwappable(route('app', old, limits));
    using _client = await open(gateway.port, '/x');
    gateway.routes.replace(gateway.compile(route('app', next, limits)));
    using crowded = await say(gateway.port, handshake('/x'));
    expect(await crowded.answer()).toMatchObject({ status: 429, body: expect.stringMatching(/^TOO_MANY/) });
    expect(await body(gateway.port)).toBe('new page /x');
    expect(await body(gateway.port)).toMatch(/^RATE_LIMITED/);
    gateway.routes.replace(gateway.compile(route('app', next, '{ upgrades: { rate: 4/h, per: route } }')));
    expect(await body(gateway.port)).toBe('new page /x');
  });
});
