import { readFile } from 'node:fs/promises';
import mqtt from 'mqtt';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freshToken } from '../support/fresh.ts';
import { exchange, PLACES, startBroker } from '../support/mqtt.ts';

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
