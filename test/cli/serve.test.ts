import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { folderWith, Process, startServing } from '../support/cli.ts';

function gateway(upstreamPort: number, port = '0'): string {
  return `listeners: [{ host: 127.0.0.1, port: ${port} }]
drain: 20s
routes:
  - { name: echo, match: { path: /echo }, auth: none, upstream: { websocket: "ws://127.0.0.1:${upstreamPort || 1}" } }
`;
}

async function listening(server: Server | WebSocketServer): Promise<number> {
  onTestFinished(() => void server.close());
  if (!server.address()) await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function silentService(): Promise<number> {
  return listening(new WebSocketServer({ port: 0, host: '127.0.0.1' }));
}

/** An open WebSocket that leaves a Close without an answer. */
async function deafClient(port: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  client.pause();
  return client;
}

describe('serve', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends with 0 after %s, clients closed with 1001',
    async (signal) => {
      const { daemon, port } = await startServing(gateway(await silentService()));
      const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
      await once(client, 'open');
      daemon.signal(signal);
      const [code] = await once(client, 'close');
      expect(code).toBe(1001);
      expect(await daemon.exit).toBe(0);
      expect(daemon.err).toBe('');
    },
  );

  test('lives on, sessions and all, after SIGHUP, SIGUSR1 and SIGUSR2', async () => {
    const { daemon, port } = await startServing(gateway(await silentService()));
    const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    await once(client, 'open');
    for (const [signal, line] of [
      ['SIGHUP', /"looking again at certificates, .*; not at the configuration"/],
      ['SIGUSR1', /"nothing to reopen"/],
      ['SIGUSR2', /"signal":"SIGUSR2",.*ignored/],
    ] as const) {
      daemon.signal(signal);
      await daemon.line(line);
    }
    client.close();
    await once(client, 'close');
    daemon.signal('SIGTERM');
    expect(await daemon.exit).toBe(0);
    // Node's own answer to SIGUSR1 would be a debugger, and a line about it.
    expect(daemon.err).toBe('');
  });

  test('ends with 1 at the second signal, whatever is open', async () => {
    const { daemon, port } = await startServing(gateway(await silentService()));
    await deafClient(port);
    daemon.signal('SIGTERM');
    await daemon.line(/"closing; a second signal/);
    daemon.signal('SIGTERM');
    expect(await daemon.exit).toBe(1);
  });

  test('ends with 1 and says which address is taken', async () => {
    const port = await listening(createServer().listen(0, '127.0.0.1'));
    const folder = await folderWith({ 'gate.yaml': gateway(1, String(port)) });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    expect(await daemon.exit).toBe(1);
    expect(daemon.err).toMatch(new RegExp(`^sallyport: .*127\\.0\\.0\\.1.*${port}`));
    expect(daemon.err).not.toMatch(/^ +at /m);
  });

  test('ends with 1 and says that the admin address is taken', async () => {
    const port = await listening(createServer().listen(0, '127.0.0.1'));
    const folder = await folderWith({ 'gate.yaml': `${gateway(1)}admin: { port: ${port} }` });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    expect(await daemon.exit).toBe(1);
    expect(daemon.err).toBe(
      `sallyport: the admin port 127.0.0.1:${port} is taken: stop the program that listens there, or choose another port\n`,
    );
    expect(daemon.out).not.toContain('listening');
  });

  test('ends with 1 and never says that it listens where one of several addresses is taken', async () => {
    const port = await listening(createServer().listen(0, '127.0.0.1'));
    const two = gateway(1).replace('port: 0 }]', `port: 0 }, { host: 127.0.0.1, port: ${port} }]`);
    const folder = await folderWith({ 'gate.yaml': two });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    expect(await daemon.exit).toBe(1);
    expect(daemon.out).not.toContain('listening');
  });

  test('ends with 2 where the configuration is wrong', async () => {
    const folder = await folderWith({ 'gate.yaml': 'routes: []' });
    const daemon = new Process(['serve', join(folder, 'gate.yaml')]);
    expect(await daemon.exit).toBe(2);
    expect(daemon.err).toMatch(/gate.yaml:1:1 routes: must not be empty/);
    expect(daemon.out).toBe('');
  });

  test('logs what is dangerous in the configuration', async () => {
    const { daemon } = await startServing(gateway(1).replace('auth: none', 'auth: none, keepalive: off'));
    expect(JSON.parse(await daemon.line(/vanishes/))).toMatchObject({
      level: 'warn',
      path: 'routes[0].keepalive',
      line: 4,
    });
  });

  test('reads variables from its environment', async () => {
    const { port } = await startServing(gateway(1, `"\${GATE_PORT}"`), { GATE_PORT: '0' });
    expect(port).toBeGreaterThan(0);
  });
});
