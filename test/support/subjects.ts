import { expect } from 'vitest';
import type { WebSocket } from 'ws';
import { eventually } from './census.ts';
import { bearer, connect } from './endpoints.ts';
import { mint, signingKey } from './tokens.ts';

/** Clients of several gateways, or of several processes of one, who are counted by their subject. */

const HS = signingKey('HS256');

/** A client of this subject: its WebSocket once it is open, or the status it got; 0 where it got none. */
export function enterAs(subject: string, url: string): Promise<WebSocket | number> {
  const token = mint(HS, { exp: Math.floor(Date.now() / 1000) + 3600, sub: subject });
  return connect(url, { ...bearer(token), Origin: 'https://a.test' });
}

/** What lets in 100 messages a second of one subject, and 20 at once. */
export const MESSAGES = 'messages: { rate: 100/s, burst: 20, per: subject }';

/** Sockets to an echo, all of one subject, send for five seconds: together they get through what MESSAGES lets in, within 5 %. */
export async function expectMessagesWithin(sockets: readonly WebSocket[]): Promise<void> {
  let echoed = 0;
  const since = performance.now();
  for (const socket of sockets) {
    socket.on('message', () => {
      echoed += 1;
    });
    for (let index = 0; index < 400; index++) socket.send('x');
  }
  await eventually(
    () => performance.now() - since > 5_000,
    () => 'time',
    10_000,
  );
  const limit = 20 + (100 * (performance.now() - since)) / 1000;
  expect(echoed).toBeLessThanOrEqual(limit * 1.05);
  expect(echoed).toBeGreaterThanOrEqual(limit * 0.9);
}
