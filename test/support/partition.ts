import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { portOf } from './servers.ts';

/** A way to a port of this machine that a test parts. */
export interface Way {
  readonly port: number;
  /** All that is open is reset, and so is who comes. */
  cut(): void;
  /** Nothing passes, though nothing ends: as where a cable is pulled. */
  stop(): void;
  /** Who comes gets through; what was stopped goes on. */
  heal(): void;
  /** What the other side says comes so much later from now on. */
  delay(ms: number): void;
}

/** Closed when its test is over. */
export async function startWay(target: number): Promise<Way> {
  const open = new Set<Socket>();
  let state: 'open' | 'cut' | 'stopped' = 'open';
  let delayMs = 0;
  const server = createServer((near) => {
    near.on('error', () => undefined);
    if (state === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.on('data', (chunk) => {
        if (one === near || delayMs === 0) other.write(chunk);
        else setTimeout(() => other.write(chunk), delayMs);
      });
      if (state === 'stopped') one.pause();
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    port: portOf(server),
    cut() {
      state = 'cut';
      for (const socket of open) socket.resetAndDestroy();
    },
    stop() {
      state = 'stopped';
      for (const socket of open) socket.pause();
    },
    heal() {
      state = 'open';
      for (const socket of open) socket.resume();
    },
    delay(ms) {
      delayMs = ms;
    },
  };
}
