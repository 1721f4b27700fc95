import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { TcpV1 } from '../../../../src/bridge/tcp/v1/index.ts';
import type { RouteConfig } from '../../../../src/config/schema.ts';
import { decodeMessage } from '../../../../src/tcp-protocol/decode.ts';
import { encodeMessage } from '../../../../src/tcp-protocol/encode.ts';
import { MAX_CREDIT, TCP_PROTOCOL, WINDOW_BYTES } from '../../../../src/tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../../../src/upstream/forward.ts';
import { parsed, sampleConfig } from '../../../support/config.ts';
import { sessionOf } from '../../../support/ends.ts';
import { type PairMaker, startPairs, turns, turnsUntil } from '../../../support/pairs.ts';
import { BINARY, frame, framesIn } from '../../../support/raw.ts';
import { countingBytes } from '../../../support/tcp-v1-returner.ts';

/** A client that gives credit, and does not read what it has given it for. */

let services: PairMaker;
let clients: PairMaker;
beforeAll(async () => {
  services = await startPairs('dialled', false);
  clients = await startPairs('accepted', false);
});
afterAll(async () => {
  await services[Symbol.asyncDispose]();
  await clients[Symbol.asyncDispose]();
});

async function start(resume: string) {
  const [service, client] = await Promise.all([services.open(), clients.open()]);
  const text = sampleConfig().replace(/upstream: .*/, `upstream: { tcp: "127.0.0.1:1"${resume} }`);
  const [route] = parsed(text).routes as [RouteConfig];
  const v1 = new TcpV1(route, {
    reach: async () => ({ socket: service.ours, name: 'db', label: 'db', release() {} }),
  });
  onTestFinished(() => {
    service[Symbol.dispose]();
    client[Symbol.dispose]();
    return v1.close();
  });
  const request = { protocols: [TCP_PROTOCOL], grant: { claims: {}, releases: [] }, connectionId: 'c' };
  const bridge = await v1.dial(request as unknown as AdmittedRequest, AbortSignal.timeout(5_000));
  void bridge.run(client.ours, Buffer.alloc(0), sessionOf({ closeMs: 100 }));
  return { service: service.peer, client: client.peer, toClient: client.ours, fromService: service.ours };
}

/** Resolves when no more of it is read. */
async function settled(socket: Socket): Promise<void> {
  let before = -1;
  while (before !== socket.bytesRead) {
    before = socket.bytesRead;
    await turns(50);
  }
}

function dataOf(bytes: Buffer): Buffer {
  const messages = framesIn(bytes).map(({ payload }) => decodeMessage(payload));
  return Buffer.concat(messages.flatMap((message) => (message.type === 'DATA' ? [message.data] : [])));
}

test.each(['', ', resume: 60s'])(
  'is sent what the service has said, late, and little of it waits in this process: {%s }',
  async (resume) => {
    const { service, client, toClient, fromService } = await start(resume);
    const said = countingBytes(resume === '' ? MAX_CREDIT : WINDOW_BYTES);
    client.write(
      frame(BINARY, Buffer.from(encodeMessage({ type: 'WINDOW', credit: MAX_CREDIT - WINDOW_BYTES }))),
    );
    client.pause();
    await settled(toClient);
    service.write(said);
    await settled(fromService);
    expect(toClient.writableLength).toBeLessThanOrEqual(WINDOW_BYTES);
    const got: Buffer[] = [];
    client.on('data', (bytes) => got.push(bytes)).resume();
    const length = () => got.reduce((sum, bytes) => sum + bytes.length, 0);
    await turnsUntil(() => length() > said.length && dataOf(Buffer.concat(got)).length === said.length);
    expect(dataOf(Buffer.concat(got)).equals(said)).toBe(true);
  },
);
