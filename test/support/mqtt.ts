import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import { TOKEN_ENV, TOKEN_ISSUER } from './fresh.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { certificate } from './listener.ts';
import { startPageServer } from './page.ts';
import { startMosquitto } from './servers.ts';

/** Where a client puts its token. */
export type Place = 'subprotocol' | 'query';
export const PLACES: readonly Place[] = ['subprotocol', 'query'];

/** A broker on its raw port, a page server, and a gateway with TLS in front of both; closed when the test has finished. */
export async function startBroker(): Promise<{ gateway: TestGateway; host: string; ca: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-mqtt-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { cert, key } = await certificate(folder, ['localhost']);
  const mosquitto = await startMosquitto();
  onTestFinished(() => mosquitto.close());
  const site = await startPageServer('mqtt/dist/mqtt.min.js');
  onTestFinished(() => site.close());
  const gateway = await startGateway(
    `
listeners: [{ host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: ${cert}, key: ${key} }] } }]
drain: 2s
${TOKEN_ISSUER}
routes:
  - name: mqtt
    match: { path: /mqtt }
    auth: { issuer: main, token: [subprotocol, "query:access_token"], require: { scope: mqtt } }
    upstream: { tcp: "127.0.0.1:${mosquitto.port}", protocols: [mqtt] }
  - { name: site, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:${site.port}" } }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  return { gateway, host: `localhost:${gateway.port}`, ca: cert };
}

export interface Job {
  readonly url: string;
  readonly token: string;
  readonly place: Place;
  readonly count: number;
  readonly largest: number;
}

interface Tools {
  readonly mqtt: { connectAsync(url: string, options: object): Promise<MqttClient> };
  /** Opens a WebSocket. */
  readonly open: (url: string, protocols: readonly string[]) => unknown;
}

/** Hashes of what was published and of what was received, each in its order. */
export interface Exchanged {
  readonly sent: readonly string[];
  readonly heard: readonly string[];
}

/**
 * Publishes messages from one connection and receives them on another. It runs in Node and, as text, on a page:
 * it must not refer to anything outside itself but what both have.
 */
export async function exchange(job: Job, { mqtt, open }: Tools): Promise<Exchanged> {
  const { url, token, place, count, largest } = job;
  const options = {
    reconnectPeriod: 0,
    transformWsUrl: (plain: string) => (place === 'query' ? `${plain}?access_token=${token}` : plain),
    createWebsocket: (address: string, protocols: readonly string[]) =>
      open(address, place === 'subprotocol' ? [...protocols, 'bearer', token] : protocols),
  };

  /** Octets that follow from the number of their message: every tenth message is long. */
  function payloadOf(index: number): Uint8Array<ArrayBuffer> {
    let state = (index * 2_654_435_761 + 1) >>> 0;
    const next = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state;
    };
    const limit = index % 10 === 9 ? largest : 2_000;
    const size = index === 0 ? 0 : index === count - 1 ? largest : next() % limit;
    return new Uint8Array(size).map(() => next() >>> 24);
  }

  async function hash(bytes: Uint8Array): Promise<string> {
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
    return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
  }

  const subscriber = await mqtt.connectAsync(url, options);
  const publisher = await mqtt.connectAsync(url, options);
  const received: Uint8Array[] = [];
  const all = new Promise<void>((resolve, reject) => {
    subscriber.on('message', (_, payload) => {
      if (received.push(payload) === count) resolve();
    });
    subscriber.on('close', () => reject(new Error(`closed after ${received.length} messages`)));
  });
  await subscriber.subscribeAsync('traffic', { qos: 1 });
  const payloads = Array.from({ length: count }, (_, index) => payloadOf(index));
  const published = payloads.map((payload) =>
    publisher.publishAsync('traffic', payload as Buffer, { qos: 1 }),
  );
  await Promise.all([...published, all]);
  await Promise.all([publisher.endAsync(), subscriber.endAsync()]);
  return {
    sent: await Promise.all(payloads.map(hash)),
    heard: await Promise.all(received.map(hash)),
  };
}
