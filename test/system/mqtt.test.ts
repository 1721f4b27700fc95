import { readFile } from 'node:fs/promises';
import mqtt from 'mqtt';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { freshToken } from '../support/fresh.ts';
import { exchange, PLACES, startBroker } from '../support/mqtt.ts';
import { within } from '../support/patience.ts';
import { startMosquitto } from '../support/servers.ts';

/** MQTT.js in Node, over TLS and the tcp bridge, to Mosquitto's raw port. */

test.each(PLACES)('a thousand messages come through whole, with the token in the %s', async (place) => {
  const { gateway, host, ca } = await startBroker();
  const authority = await readFile(ca);
  const { sent, heard } = await exchange(
    {
      url: `wss://${host}/mqtt`,
      token: freshToken({ scope: 'mqtt' }),
      place,
      count: 1_000,
      largest: 200_000,
    },
    { mqtt, open: (url, protocols) => new WebSocket(url, [...protocols], { ca: authority }) },
  );
  expect(sent).toHaveLength(1_000);
  expect(new Set(sent).size).toBeGreaterThan(990);
  expect(heard).toEqual(sent);
  const opened = gateway.log.filter((line) => line.msg === 'session opened');
  expect(opened).toMatchObject([
    { route: 'mqtt', bridge: 'tcp', subject: 'alice', protocol: 'mqtt' },
    { route: 'mqtt', bridge: 'tcp', subject: 'alice', protocol: 'mqtt' },
  ]);
});

test.each([
  ['mqtt', 4, 'MQTT'],
  ['mqttv3.1', 3, 'MQIsdp'],
] as const)(
  'config/examples/mqtt.yaml serves clients that offer %s',
  async (protocol, protocolVersion, protocolId) => {
    const mosquitto = await startMosquitto();
    onTestFinished(() => mosquitto.close());
    const guarded = await startGuardedExample('mqtt', { '127.0.0.1:1883': `127.0.0.1:${mosquitto.port}` });
    const headers = { authorization: `Bearer ${guarded.token}` };
    const client = await mqtt.connectAsync(`wss://localhost:${guarded.gateway.port}/mqtt`, {
      ...{ protocolVersion, protocolId, reconnectPeriod: 0 },
      createWebsocket: (url, protocols) => new WebSocket(url, protocols, { ca: guarded.ca, headers }),
    });
    await client.subscribeAsync('news');
    const heard = new Promise<Buffer>((resolve) =>
      client.once('message', (_topic, payload) => resolve(payload)),
    );
    await client.publishAsync('news', 'ten o’clock', { qos: 1 });
    expect(String(await within(heard, 'the news'))).toBe('ten o’clock');
    await client.endAsync();
    expect(guarded.gateway.log.find(({ msg }) => msg === 'session opened')).toMatchObject({ protocol });
  },
);
