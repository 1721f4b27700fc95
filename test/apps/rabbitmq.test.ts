import { AMQPWebSocketClient } from '@cloudamqp/amqp-client';
import { Client, type IFrame } from '@stomp/stompjs';
import { expect, onTestFinished, test } from 'vitest';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { startRabbit } from '../support/rabbitmq.ts';
import { startTrickle } from '../support/trickle.ts';
import { pageHeaders } from '../support/visitor.ts';
import { browseWith } from './web-socket.ts';

/** Debian's RabbitMQ by its raw ports, over TLS: @cloudamqp/amqp-client and @stomp/stompjs, both written for pages. */

const PATIENCE_MS = 15_000;

/** Publishes many messages of many lengths and consumes them; resolves with what came, in order. */
async function overAmqp({ gateway }: Guarded, bodies: readonly string[]): Promise<readonly string[]> {
  const client = new AMQPWebSocketClient({ url: `wss://localhost:${gateway.port}/amqp` });
  client.onerror = () => {};
  const connection = await within(client.connect(), 'an AMQP connection', PATIENCE_MS);
  const channel = await connection.channel();
  await channel.queueDeclare('letters', { durable: false });
  await channel.confirmSelect();
  await within(
    Promise.all(bodies.map((body) => channel.basicPublish('', 'letters', body))),
    'confirmations',
    PATIENCE_MS,
  );
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await channel.basicConsume('letters', { noAck: true }, (message) => {
    if (heard.push(message.bodyString() ?? '') === bodies.length) resolve();
  });
  await within(promise, () => `${bodies.length} messages, not ${heard.length}`, PATIENCE_MS);
  await connection.close();
  return heard;
}

/** Subscribes to a queue and sends to it; resolves with what came. */
async function overStomp({ gateway }: Guarded, body: string): Promise<string> {
  const client = new Client({
    brokerURL: `wss://localhost:${gateway.port}/stomp`,
    connectHeaders: { login: 'guest', passcode: 'guest', host: '/' },
    reconnectDelay: 0,
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = ({ headers }: IFrame) => reject(new Error(`STOMP: ${headers.message}`));
  client.onStompError = fail;
  client.onWebSocketClose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
  client.onConnect = () => {
    client.subscribe('/queue/words', (message) => resolve(message.body));
    client.publish({ destination: '/queue/words', body });
  };
  client.activate();
  onTestFinished(() => client.deactivate());
  return within(promise, 'a message by STOMP', PATIENCE_MS);
}

test('amqp-client, however the broker’s frames are cut, and stompjs bring messages whole', {
  timeout: 120_000,
}, async () => {
  const rabbit = await startRabbit();
  const guarded = await startGuardedExample('amqp-stomp', {
    '127.0.0.1:5672': `127.0.0.1:${await startTrickle(rabbit.rawAmqp, 3)}`,
    '127.0.0.1:61613': `127.0.0.1:${rabbit.rawStomp}`,
  });
  browseWith(guarded, pageHeaders(guarded));
  const bodies = Array.from({ length: 200 }, (_, at) => `${at} ${'x'.repeat((at * 37) % 301)}`);
  expect((await overAmqp(guarded, bodies)).join() === bodies.join()).toBe(true);
  const body = 'κόσμε '.repeat(10_000);
  expect((await overStomp(guarded, body)) === body).toBe(true);
  const opened = guarded.gateway.log.filter(({ msg }) => msg === 'session opened');
  expect(opened.map(({ route, protocol, subject }) => [route, protocol, subject])).toEqual([
    ['amqp', undefined, 'alice'],
    ['stomp', 'v12.stomp', 'alice'],
  ]);
});
