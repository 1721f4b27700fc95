import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/**
 * Ports below those that the kernel gives away, to listeners on port 0 and to connections that go out: one that is free stays
 * free until whoever was given it listens there, or for good where nobody is to listen.
 *
 * Tests run in several processes at a time, each of which takes its ports from blocks that no other process has: it holds the
 * first port of a block for as long as it lives, and gives the others.
 */

export const FIRST = 10_000;
export const BLOCK = 32;
const BLOCKS = Math.floor((firstEphemeralPort() - FIRST) / BLOCK);
/** Where processes begin is left to chance, so that few look for their blocks where others have theirs. */
const start = randomInt(BLOCKS);
let tried = 0;
let left: number[] = [];
let taking: Promise<void> | undefined;

/** As Linux says; elsewhere, and where that leaves too few, as it is unless somebody changes it. */
function firstEphemeralPort(): number {
  const usual = 32_768;
  try {
    const first = Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
    return first > FIRST + 100 * BLOCK ? first : usual;
  } catch {
    return usual;
  }
}

/** A port that nobody listens on, at no address, and that is never given again. Rejects when there is none left. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = left.shift();
    if (port !== undefined) {
      if (await isFree(port)) return port;
      continue;
    }
    taking ??= takeBlock();
    await taking;
  }
}

/** The first block that nobody holds: what is left then are its ports. */
async function takeBlock(): Promise<void> {
  for (; tried < BLOCKS; tried++) {
    const first = FIRST + ((start + tried) % BLOCKS) * BLOCK;
    const holder = await listen(first);
    if (holder === undefined) continue;
    holder.unref();
    left = Array.from({ length: BLOCK - 1 }, (_, at) => first + 1 + at);
    taking = undefined;
    return;
  }
  throw new Error(`tests have taken all the ports from ${FIRST} on`);
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === undefined) return false;
  server.close();
  await once(server, 'close');
  return true;
}

/** Undefined where somebody listens already. */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
