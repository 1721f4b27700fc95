import { connectAsync } from 'mqtt';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { startRabbit } from '../support/rabbitmq.ts';
import { pageHeaders, type Visitor, visitorOf } from '../support/visitor.ts';

/** Debian's RabbitMQ over TLS: its management API, STOMP by hand on a page, and MQTT.js as a program. */

const BASIC = { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` };

/** Makes a queue in the virtual host `/`, puts a message into it, and looks at it. */
async function fillQueue(page: Visitor, queue: string): Promise<void> {
  const made = await page.ask(`/api/queues/%2F/${queue}`, {
    method: 'PUT',
    headers: BASIC,
    json: { durable: false, auto_delete: false },
  });
  expect(made).toMatchObject({ status: 201 });
  const published = await page.ask('/api/exchanges/%2F/amq.default/publish', {
    method: 'POST',
    headers: BASIC,
    json: { properties: {}, routing_key: queue, payload: 'by the API', payload_encoding: 'string' },
  });
  expect(published).toEqual({ status: 200, body: '{"routed":true}' });
  const found = await page.ask(`/api/queues/%2F/${queue}`, { headers: BASIC });
  expect(JSON.parse(found.body)).toMatchObject({ name: queue, vhost: '/' });
}

async function subscribeByStomp(page: Visitor, destination: string) {
  const stomp = await page.converse('/stomp', ['v12.stomp']);
  expect(stomp.webSocket.protocol).toBe('v12.stomp');
  stomp.say('CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\0');
  await stomp.hear(/^CONNECTED\n[^\0]*\0/);
  stomp.say(`SUBSCRIBE\nid:0\nreceipt:0\ndestination:${destination}\n\n\0`);
  await stomp.hear(/RECEIPT\nreceipt-id:0\n\n\0/);
  return stomp;
}

function connectMqtt({ gateway, token, ca }: Guarded) {
  return connectAsync(`wss://localhost:${gateway.port}/mqtt`, {
    reconnectPeriod: 0,
    username: 'guest',
    password: 'guest',
    createWebsocket: (url, protocols) =>
      new WebSocket(url, protocols, { ca, headers: { authorization: `Bearer ${token}` } }),
  });
}

test('what is published by the API and by MQTT is heard by STOMP', async () => {
  const rabbit = await startRabbit();
  const guarded = await startGuardedExample('rabbitmq', {
    '127.0.0.1:15672': `127.0.0.1:${rabbit.management}`,
    '127.0.0.1:15674': `127.0.0.1:${rabbit.stomp}`,
    '127.0.0.1:15675': `127.0.0.1:${rabbit.mqtt}`,
  });
  const page = visitorOf(guarded, pageHeaders(guarded));
  expect(await page.ask('/')).toMatchObject({ status: 200, body: expect.stringContaining('RabbitMQ') });
  expect(await page.ask('/api/whoami')).toMatchObject({ status: 401 });
  await fillQueue(page, 'letters');

  const stomp = await subscribeByStomp(page, '/topic/news.*');
  stomp.say('SUBSCRIBE\nid:1\ndestination:/amq/queue/letters\n\n\0');
  await stomp.hear(/MESSAGE\n[^\0]*\n\nby the API\0/);
  const mqtt = await connectMqtt(guarded);
  const payload = 'by MQTT '.repeat(20_000);
  await mqtt.publishAsync('news/today', payload, { qos: 1 });
  const [, heard] = await stomp.hear(/MESSAGE\n[^\0]*\n\n(by MQTT [^\0]*)\0/);
  expect(heard).toBe(payload);
  await mqtt.endAsync();
  await stomp.part();
});
