import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startWebSocketProcess } from '../support/processes.ts';
import { type Manner, speakFrames, startSpeaker } from '../support/speaking.ts';

/** Peers that read no more, and peers that do nothing more: both have sockets that look well. */

const BRIDGES = ['websocket', 'tcp', 'poll'] as const;

const STALL_MS = 2_000;
const EVERY_MS = 1_000;
const WITHIN_MS = 1_000;
/** What telling the other end, and a busy machine, may take beyond a deadline. */
const SLACK_MS = 1_000;

async function startTo(upstream: string): Promise<TestGateway> {
  const gateway = await startGateway(`routes:
  - name: r
    match: { path: /r }
    auth: none
    timeouts: { stall: ${STALL_MS}ms }
    keepalive: { every: ${EVERY_MS}ms, within: ${WITHIN_MS}ms }
    upstream: ${upstream}`);
  onTestFinished(() => gateway.close());
  return gateway;
}

async function connect(gateway: TestGateway, manner: Manner): Promise<void> {
  const client = new WebSocket(gateway.url('/r'));
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  speakFrames(client, manner);
}

/** The log line that tells how the session ended. */
function ending(gateway: TestGateway): Promise<Record<string, unknown>> {
  return gateway.logged(({ msg }) => msg === 'session ended');
}

describe('who reads nothing goes after `stall`:', () => {
  function expectStall(line: Record<string, unknown>, name: string): void {
    expect(line).toMatchObject({ close: 1013, error: 'PEER_STALLED', detail: name });
    // What fits the buffers is written in no time: it stalls from the beginning.
    expect(line.durationMs).toBeGreaterThanOrEqual(STALL_MS);
    expect(line.durationMs).toBeLessThan(STALL_MS + SLACK_MS);
  }

  test.each(BRIDGES)('a client, %s', async (bridge) => {
    const gateway = await startTo(await startSpeaker(bridge, 'pour'));
    await connect(gateway, 'deaf');
    expectStall(await ending(gateway), 'client');
  });

  // An HTTP service that does not read its request has the deadline of the send.
  test.each(['websocket', 'tcp'] as const)('an upstream, %s', async (bridge) => {
    const gateway = await startTo(await startSpeaker(bridge, 'deaf'));
    await connect(gateway, 'pour');
    expectStall(await ending(gateway), 'upstream');
  });
});

describe('who is stopped goes after `every` and `within`:', () => {
  function expectSilence(line: Record<string, unknown>, stoppedAt: number, error: string): void {
    expect(line).toMatchObject({ error });
    const ms = Date.parse(line.time as string) - stoppedAt;
    expect(ms).toBeGreaterThanOrEqual(WITHIN_MS);
    expect(ms).toBeLessThan(EVERY_MS + WITHIN_MS + SLACK_MS);
  }

  describe.each(['quiet', 'trickle'] as const)('%s', (manner) => {
    test.each(BRIDGES)('a client, %s', async (bridge) => {
      const gateway = await startTo(await startSpeaker(bridge, manner));
      using client = await startWebSocketProcess(gateway.url('/r'), manner);
      const stoppedAt = Date.now();
      client.stop();
      expectSilence(await ending(gateway), stoppedAt, 'PEER_SILENT');
    });

    test('an upstream, websocket', async () => {
      using upstream = await startWebSocketProcess('', manner);
      const gateway = await startTo(`{ websocket: "ws://127.0.0.1:${upstream.port}" }`);
      await connect(gateway, manner);
      const stoppedAt = Date.now();
      upstream.stop();
      expectSilence(await ending(gateway), stoppedAt, 'UPSTREAM_TIMEOUT');
    });
  });
});
