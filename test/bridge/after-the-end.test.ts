import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { BINARY, frame, type Wire } from '../support/raw.ts';
import { BRIDGES, type BridgeName, pour } from '../support/services.ts';
import { openStage, type RouteName, type Scene, type Stage } from '../support/stage.ts';

/** What the end of a session costs: how long it takes, how much is read, and what still gets through. */

const MiB = 2 ** 20;
/** `timeouts.close` of the routes. */
const CLOSE_MS = 1_000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Plays a session on a gateway of its own, which may be shut down. */
async function playAlone(bridge: BridgeName, route: RouteName): Promise<Scene & { own: Stage }> {
  const own = await openStage();
  onTestFinished(() => own[Symbol.asyncDispose]());
  return { own, ...(await own.play(bridge, route)) };
}

describe.concurrent('one budget for the whole end', () => {
  async function expectQuick(scene: Scene, since: number): Promise<void> {
    await scene.ended();
    expect(performance.now() - since).toBeLessThan(2 * CLOSE_MS);
  }

  test.each(BRIDGES)('%s: the client closes, and the upstream never answers', async (bridge) => {
    const scene = await stage.play(bridge, 'plain');
    scene.service.fallSilent();
    scene.client.send(BINARY, 'the last message');
    const since = performance.now();
    scene.client.sendClose(1000);
    expect(await scene.client.ended()).toMatchObject({ code: 1000 });
    await expectQuick(scene, since);
  });

  test.each(BRIDGES)('%s: the upstream closes, and the client never answers', async (bridge) => {
    const scene = await stage.play(bridge, 'plain');
    scene.client.polite = false;
    const since = performance.now();
    scene.service.close();
    await expectQuick(scene, since);
  });

  test.each(BRIDGES)('%s: the gateway closes one after the other, and neither answers', async (bridge) => {
    const scene = await stage.play(bridge, 'old');
    scene.client.polite = false;
    scene.service.fallSilent();
    await scene.client.until(() => scene.client.close !== undefined, 'a Close');
    const since = performance.now();
    await scene.service.told();
    await expectQuick(scene, since);
  });

  // `close` is a minute here.
  test.each(BRIDGES)('%s: a client that is known to be silent is not waited for', async (bridge) => {
    const scene = await stage.play(bridge, 'deaf');
    scene.client.polite = false;
    expect(await scene.ended()).toMatchObject({ error: 'PEER_SILENT' });
  });

  test('websocket: an upstream that is known to be silent is not waited for', async () => {
    const scene = await stage.play('websocket', 'deaf');
    scene.service.fallSilent();
    expect(await scene.ended()).toMatchObject({ error: 'UPSTREAM_TIMEOUT' });
  });
});

describe('after the end little is read', () => {
  /** Every connection of this process, by who has opened it. */
  const dialled: Socket[] = [];
  const accepted: { socket: Socket; port: number | undefined }[] = [];
  const onDialled = (message: unknown) => dialled.push((message as { socket: Socket }).socket);
  const onAccepted = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    accepted.push({ socket, port: socket.localPort });
  };
  afterAll(() => {
    unsubscribe('net.client.socket', onDialled);
    unsubscribe('net.server.socket', onAccepted);
  });
  // At once, so that no connection is missed which another test has left open.
  subscribe('net.client.socket', onDialled);
  subscribe('net.server.socket', onAccepted);

  const total = (sockets: readonly Socket[]) => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  const readFromServices = ({ client }: Scene) => total(dialled.filter((socket) => socket !== client.socket));
  const readFromClients = () =>
    total(accepted.flatMap(({ socket, port }) => (port === stage.gateway.port ? [socket] : [])));

  const floodOf = (client: Wire) => pour(client, frame(BINARY, Buffer.alloc(64 * 1024)));

  test.each(BRIDGES)('%s: of a service that writes for ever, when the client closes', async (bridge) => {
    const scene = await stage.play(bridge, 'plain');
    scene.service.fallSilent();
    scene.service.flood();
    await scene.client.until(() => scene.client.received > 2 * MiB, 'much traffic');
    scene.client.sendClose(1000);
    await scene.service.until(() => scene.service.isTold(), 'the end');
    const before = readFromServices(scene);
    await scene.ended();
    expect(readFromServices(scene) - before).toBeLessThan(MiB);
  });

  test.each(BRIDGES)('%s: of a client that writes for ever, when the service closes', async (bridge) => {
    const scene = await stage.play(bridge, 'plain');
    scene.client.polite = false;
    floodOf(scene.client);
    await scene.service.until(() => scene.service.got.length > MiB / 4, 'much traffic');
    scene.service.close();
    await scene.client.until(() => scene.client.close !== undefined, 'a Close');
    const before = readFromClients();
    await scene.ended();
    expect(readFromClients() - before).toBeLessThan(MiB);
  });

  test.each(BRIDGES)('%s: of a client that broke the protocol and writes for ever', async (bridge) => {
    const scene = await stage.play(bridge, 'plain');
    const before = readFromClients();
    scene.client.send(BINARY, 'x', { rsv: 2 });
    floodOf(scene.client);
    await scene.ended();
    expect(readFromClients() - before).toBeLessThan(MiB);
  });

  test.each(BRIDGES)('%s: of a client that has answered our Close and writes for ever', async (bridge) => {
    const scene = await stage.play(bridge, 'old');
    await scene.client.until(() => scene.client.close !== undefined, 'a Close');
    scene.client.polite = false;
    scene.service.fallSilent();
    const before = readFromClients();
    floodOf(scene.client);
    await scene.ended();
    expect(readFromClients() - before).toBeLessThan(MiB);
  });

  test.each(BRIDGES)(
    '%s: of a client that leaves our Close unanswered, once it is given up',
    async (bridge) => {
      const scene = await stage.play(bridge, 'old');
      scene.client.polite = false;
      floodOf(scene.client);
      await scene.service.told();
      const before = readFromClients();
      await scene.ended();
      expect(readFromClients() - before).toBeLessThan(MiB);
    },
  );
});

describe('what a client sends before it has seen the Close of a shutdown', () => {
  test.each(BRIDGES)('%s: reaches the upstream, which is told afterwards', async (bridge) => {
    const { own, client, service, ended } = await playAlone(bridge, 'plain');
    client.polite = false;
    const closed = own.gateway.close();
    await client.until(() => client.close !== undefined, 'a Close');
    for (const text of ['one ', 'two ', 'three']) client.send(BINARY, text);
    await service.until(() => service.got === 'one two three', 'the last messages');
    expect(service.isTold()).toBe(false);
    client.send(BINARY, ' four');
    client.sendClose(1001);
    await service.told();
    expect(service.got).toBe('one two three four');
    expect(await ended()).toMatchObject({ error: 'GOING_AWAY', clean: true });
    client.socket.end();
    await closed;
  });

  // An HTTP service would have to be sent them one by one, and there is no time left.
  test.each(['websocket', 'tcp'] as const)(
    '%s: reaches it too if a limit has held it back',
    async (bridge) => {
      const { own, client, service } = await playAlone(bridge, 'slow');
      client.polite = false;
      for (const text of ['one ', 'two ', 'three']) client.send(BINARY, text);
      await service.until(() => service.got !== '', 'the first message');
      const closed = own.gateway.close();
      await service.told();
      expect(service.got).toBe('one two three');
      client.socket.end();
      await closed;
    },
  );
});
