import mqtt, { type IClientOptions } from 'mqtt';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { startMosquitto } from '../support/servers.ts';
import { startEvents } from '../support/socketio.ts';

/** Tokens in the first message of clients nobody wrote for it, over TLS: Socket.IO's own client, and MQTT.js to Mosquitto. */

const PLACES = {
  'ws://127.0.0.1:3000': 'ws://127.0.0.1:9',
  '127.0.0.1:1883': '127.0.0.1:9',
};

describe('Socket.IO', () => {
  async function started(pingInterval?: number) {
    const events = await startEvents(false, pingInterval);
    const guarded = await startGuardedExample('first-message', {
      ...PLACES,
      'ws://127.0.0.1:3000': `ws://127.0.0.1:${events.port}`,
    });
    function connect(options: Partial<ManagerOptions & SocketOptions>, namespace = '/'): Socket {
      const alone = { transports: ['websocket'], reconnection: false, forceNew: true };
      const url = `https://localhost:${guarded.gateway.port}${namespace}`;
      const socket = io(url, { ...alone, ca: guarded.ca.toString(), ...options } as Partial<ManagerOptions>);
      onTestFinished(() => void socket.disconnect());
      return socket;
    }
    return { events, ...guarded, connect };
  }
  const connected = (socket: Socket) =>
    within(
      new Promise<Socket>((resolve, reject) => {
        socket.on('connect', () => resolve(socket));
        socket.on('connect_error', reject);
        socket.on('disconnect', (reason, details) =>
          reject(new Error(`${reason} ${JSON.stringify(details)}`)),
        );
      }),
      'a connection',
    );

  test('events pass whole, by its first namespace and another', async () => {
    const { events, token, connect, gateway } = await started();
    const socket = await connected(connect({ auth: { token, room: 1 } }));
    expect(await socket.emitWithAck('echo', 'κόσμε', { a: [1] }, Buffer.from([1, 2]))).toBe('κόσμε');
    expect(events.handshakes).toMatchObject([{ 'x-user': 'alice' }]);
    expect(events.auths).toEqual([{ room: 1 }]);
    expect(gateway.log.find(({ msg }) => msg === 'session opened')).toMatchObject({
      route: 'events',
      subject: 'alice',
    });
  });

  test('a client may begin with another namespace', async () => {
    const { token, connect, events } = await started();
    const socket = await connected(connect({ auth: { token } }, '/admin'));
    expect(await socket.emitWithAck('echo', 7)).toBe(7);
    expect(events.auths).toEqual([{}]);
  });

  test('stays open over pings, on terms that the gateway has learned', async () => {
    const { token, connect, events, gateway } = await started(300);
    for (const expected of [25_000, events.pingInterval]) {
      const socket = connect({ auth: { token } });
      const heard = within(
        new Promise((resolve) => socket.io.engine.once('handshake', resolve)),
        'a greeting',
      );
      expect(await heard).toMatchObject({ pingInterval: expected, upgrades: [] });
      await connected(socket);
      await within(
        new Promise((resolve) => socket.io.engine.once('ping', () => resolve(undefined))),
        'a ping',
      );
      expect(await socket.emitWithAck('echo', 1)).toBe(1);
    }
    expect(gateway.log.filter(({ msg }) => msg === 'session ended')).toEqual([]);
  });

  test.each([
    ['without a token', {}, 'A token is required.'],
    ['with a bad one', { token: 'a.b.c' }, 'The token is not valid.'],
  ])('a client %s is closed with 3000, and its server never hears of it', async (_, auth, reason) => {
    const { events, connect, gateway } = await started();
    const socket = connect({ auth });
    const engine = await within(
      new Promise((resolve) => socket.io.engine.once('close', (_reason, details) => resolve(details))),
      'a Close',
    );
    expect(engine).toMatchObject({ context: { code: 3000, reason } });
    await gateway.logged(({ msg, close }) => msg === 'upgrade refused' && close === 3000);
    expect(events.handshakes).toEqual([]);
  });
});

describe('MQTT', () => {
  async function started() {
    const mosquitto = await startMosquitto();
    onTestFinished(() => mosquitto.close());
    const guarded = await startGuardedExample('first-message', {
      ...PLACES,
      '127.0.0.1:1883': `127.0.0.1:${mosquitto.port}`,
    });
    const connect = (options: IClientOptions) =>
      mqtt.connectAsync(`wss://localhost:${guarded.gateway.port}/mqtt`, {
        ...{ reconnectPeriod: 0, username: 'anybody' },
        createWebsocket: (url: string, protocols: string[]) =>
          new WebSocket(url, protocols, { ca: guarded.ca }),
        ...options,
      });
    return { ...guarded, connect };
  }

  test.each([
    [3, 'MQIsdp', 'mqttv3.1'],
    [4, 'MQTT', 'mqtt'],
    [5, 'MQTT', 'mqtt'],
  ] as const)('messages pass, version %s', async (protocolVersion, protocolId, protocol) => {
    const { connect, token, gateway } = await started();
    const will = { topic: 'wills', payload: Buffer.from('the last'), qos: 0 as const, retain: false };
    const client = await connect({ protocolVersion, protocolId, password: token, will });
    await client.subscribeAsync('news');
    const heard = new Promise<Buffer>((resolve) =>
      client.once('message', (_topic, payload) => resolve(payload)),
    );
    await client.publishAsync('news', 'ten o’clock', { qos: 1 });
    expect(String(await within(heard, 'the news'))).toBe('ten o’clock');
    await client.endAsync();
    expect(gateway.log.find(({ msg }) => msg === 'session opened')).toMatchObject({
      protocol,
      subject: 'alice',
    });
  });

  test.each([
    [4, /Connection refused: Bad username or password/],
    [5, /Connection refused: Bad User Name or Password/i],
  ] as const)('a client with a bad password is told so, version %s', async (protocolVersion, message) => {
    const { connect, gateway } = await started();
    await expect(connect({ protocolVersion, password: 'a.b.c' })).rejects.toThrow(message);
    expect(await gateway.logged(({ msg }) => msg === 'upgrade refused')).toMatchObject({
      ...{ error: 'TOKEN_INVALID', close: 3000, route: 'mqtt' },
    });
  });
});
