import { afterAll, beforeAll, onTestFinished } from 'vitest';
import type { Link, SessionHandle } from '../../src/bridge/contract.ts';
import { Bytes } from '../../src/bridge/tcp/framing/bytes.ts';
import type { Framing } from '../../src/bridge/tcp/framing/contract.ts';
import { tunnel } from '../../src/bridge/tcp/tunnel.ts';
import { connection, sessionOf } from './ends.ts';
import { type PairMaker, startPairs } from './pairs.ts';
import { Wire } from './raw.ts';

export interface TunnelScene {
  /** What came behind the client's handshake. */
  readonly head?: Buffer;
  readonly framing?: Framing;
}

/** A WebSocket client, in memory, joined to a TCP service on a real connection. Call it once in a file; it returns how to make one. */
export function tunnelScenes() {
  let pairs: PairMaker;
  beforeAll(async () => {
    pairs = await startPairs('dialled', false);
  });
  afterAll(() => pairs[Symbol.asyncDispose]());

  return async function join(
    changes: Partial<SessionHandle> = {},
    { head = Buffer.alloc(0), framing = new Bytes(true) }: TunnelScene = {},
  ) {
    const pair = await pairs.open();
    onTestFinished(() => pair[Symbol.dispose]());
    const { ours, far } = connection();
    const service = new Wire(pair.peer, { polite: false });
    let got = '';
    pair.peer.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
    });
    const session = sessionOf(changes);
    const done = tunnel({ client: ours, clientHead: head, upstream: pair.ours, framing }, session);
    return {
      client: far,
      service,
      session,
      link: session.link as Link,
      done,
      got: () => got,
      ours: pair.ours,
    };
  };
}
