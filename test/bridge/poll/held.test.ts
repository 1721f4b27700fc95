import { afterEach, expect, test } from 'vitest';
import { fixtures, inboxOf, until } from '../../support/poll.ts';

/** Requests that a service holds when a session ends. */

const { service, harness, undo } = fixtures();
afterEach(undo);

test('a poll that its session lives by is given up last', async () => {
  const events: string[] = [];
  const backend = await service(({ method, url, body }, response) => {
    if (method === 'POST') {
      events.push(`post ${body}`);
      response.end('ok');
    } else if (url.includes('sid=')) {
      events.push('poll');
      response.on('close', () => events.push('cut'));
    } else {
      response.end('0{"sid":"s","pingInterval":9000,"pingTimeout":9000}');
    }
  });
  const gateway = await harness({ profile: 'engine.io', target: backend.url });
  const client = await gateway.connect({ path: '/rooms/blue?EIO=4&transport=websocket' });
  await until(() => events.length === 1);
  client.send('4last');
  client.close(1001);
  expect(await gateway.endings[0]).toMatchObject({ code: 1001, by: 'client' });
  await until(() => events.length === 4);
  expect(events).toEqual(['poll', 'post 4last', 'post 1', 'cut']);
});

test('the end does not wait for a request that the service may hold, nor misses its answer', async () => {
  const events: string[] = [];
  const backend = await service(({ body }, response) => {
    const [{ channel }] = JSON.parse(String(body));
    events.push(channel);
    if (channel !== '/meta/connect') response.end('[{"channel":"/a"}]');
    else response.on('close', () => events.push('cut'));
  });
  const gateway = await harness(
    { profile: 'bayeux', path: '/', target: backend.url },
    { session: { closeMs: 60_000 } },
  );
  const client = await gateway.connect();
  const inbox = inboxOf(client);
  const connect = '[{"channel":"/meta/connect","clientId":"c"}]';
  client.send(connect);
  client.send('[{"channel":"/a"}]');
  client.send(connect);
  await inbox.atLeast(1);
  client.terminate();
  expect(await gateway.endings[0]).toMatchObject({ by: 'client', clean: false });
  expect(gateway.sessions[0]?.undelivered).toBe(0);
  await until(() => events.length === 4);
  expect(events.toSorted()).toEqual(['/a', '/meta/connect', '/meta/disconnect', 'cut']);
});
