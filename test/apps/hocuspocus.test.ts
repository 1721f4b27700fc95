import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { Server } from '@hocuspocus/server';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { Doc } from 'yjs';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';

/** Hocuspocus behind a route with a token: documents of Y.js that several edit at a time. */

interface Documents {
  readonly port: number;
  /** Who has come in, as the gateway says, and by the provider's own token. */
  readonly guests: readonly string[];
  /** Connections that are open. */
  connections(): number;
}

/** Starts a server of Hocuspocus; gone when the test has finished. */
async function startDocuments(): Promise<Documents> {
  const guests: string[] = [];
  const server = new Server({
    address: '127.0.0.1',
    port: 0,
    quiet: true,
    stopOnSignals: false,
    async onAuthenticate({ requestHeaders, token }) {
      guests.push(`${requestHeaders.get('x-user')} ${token}`);
    },
  });
  await server.listen();
  onTestFinished(() => server.destroy());
  const { port } = server.address;
  return { port, guests, connections: () => server.hocuspocus.getConnectionsCount() };
}

async function startScene() {
  const documents = await startDocuments();
  const changes = { 'ws://127.0.0.1:1234': `ws://127.0.0.1:${documents.port}` };
  return { documents, ...(await startGuardedExample('hocuspocus', changes)) };
}

/** A provider's connection with these header fields, and a document of its own that follows `plan`. */
function open({ gateway, ca }: Guarded, headers: Record<string, string>, token = 'its own') {
  class Authorised extends WebSocket {
    constructor(url: string) {
      super(url, { ca, headers });
      // Errors beside that of the provider, which stops to listen when it is destroyed.
      this.on('error', () => {});
    }
  }
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `wss://localhost:${gateway.port}/documents`,
    WebSocketPolyfill: Authorised,
    maxAttempts: 1,
  });
  const document = new Doc();
  const provider = new HocuspocusProvider({ websocketProvider, name: 'plan', document, token });
  provider.attach();
  onTestFinished(() => {
    provider.destroy();
    websocketProvider.destroy();
  });
  const synced = new Promise<void>((resolve) => provider.on('synced', () => resolve()));
  return {
    provider,
    websocketProvider,
    text: document.getText('body'),
    synced: () => within(synced, 'a document'),
  };
}

test('two edit a document together, and the server knows who they are', async () => {
  const scene = await startScene();
  const authorization = `Bearer ${scene.token}`;
  const [one, other] = [
    open(scene, { authorization }),
    open(scene, { cookie: `session=${scene.token}`, origin: 'https://app.example.com' }),
  ];
  await Promise.all([one.synced(), other.synced()]);
  one.text.insert(0, 'we meet at ten');
  await eventually(() => other.text.toString() === 'we meet at ten', 'the first edit');
  // Both at once: what each has typed stays, in the same order for both.
  one.text.insert(0, 'on Monday ');
  other.text.insert(other.text.length, ' in the hall');
  const both = 'on Monday we meet at ten in the hall';
  await eventually(() => [one, other].every(({ text }) => text.toString() === both), 'both edits');
  expect(scene.documents.guests).toEqual(['alice its own', 'alice its own']);
});

test('one who comes later gets a document of megabytes', async () => {
  const scene = await startScene();
  const headers = { authorization: `Bearer ${scene.token}` };
  const writer = open(scene, headers);
  await writer.synced();
  const long = 'κόσμε '.repeat(300_000);
  writer.text.insert(0, long);
  await eventually(() => !writer.provider.hasUnsyncedChanges, 'that the server has it', 10_000);
  const reader = open(scene, headers);
  await reader.synced();
  expect(reader.text.toString() === long).toBe(true);
});

test('one sees where the other is, until the other leaves', async () => {
  const scene = await startScene();
  const headers = { authorization: `Bearer ${scene.token}` };
  const [one, other] = [open(scene, headers), open(scene, headers)];
  await Promise.all([one.synced(), other.synced()]);
  const seen = () => [...(one.provider.awareness?.getStates().values() ?? [])];
  other.provider.setAwarenessField('cursor', 7);
  await eventually(() => seen().some(({ cursor }) => cursor === 7), 'the cursor of the other');
  other.websocketProvider.destroy();
  await eventually(() => seen().every(({ cursor }) => cursor === undefined), 'that the cursor is gone');
  expect(scene.documents.connections()).toBe(1);
  await scene.gateway.logged(({ msg, route }) => msg === 'session ended' && route === 'documents');
});

test('nobody comes in without a token', async () => {
  const scene = await startScene();
  const stranger = open(scene, {});
  await within(new Promise((resolve) => stranger.websocketProvider.on('close', resolve)), 'a refusal');
  await scene.gateway.logged(({ error }) => error === 'TOKEN_MISSING');
  expect(stranger.provider.isSynced).toBe(false);
  expect(scene.documents.guests).toEqual([]);
});
