import { expect, test } from 'vitest';
import { Closing } from '../../src/bridge/closing.ts';
import { BridgeLink } from '../../src/bridge/link.ts';
import { endingOf, FakeEnd } from '../support/ends.ts';

function linked() {
  const client = new FakeEnd('client');
  const upstream = new FakeEnd('upstream');
  const closing = new Closing({ closeMs: 1, relaysClose: false });
  closing.join(client, upstream);
  return { client, upstream, closing, link: new BridgeLink(closing, [client, upstream]) };
}

test('both ends are asked for a sign of life', () => {
  const { client, upstream, link } = linked();
  link.ping();
  expect([client.asked, upstream.asked]).toEqual([['ping'], ['ping']]);
});

test.each([
  ['nobody', undefined, undefined, undefined],
  ['the client', 7, undefined, { name: 'client', forMs: 7 }],
  ['the upstream', undefined, 7, { name: 'upstream', forMs: 7 }],
  ['whoever has for longer: the client', 8, 7, { name: 'client', forMs: 8 }],
  ['whoever has for longer: the upstream', 7, 8, { name: 'upstream', forMs: 8 }],
  ['somebody whose ping has not left yet', 0, undefined, { name: 'client', forMs: 0 }],
])('%s owes a sign of life', (_name, ofClient, ofUpstream, expected) => {
  const { client, upstream, link } = linked();
  client.silentFor = ofClient;
  upstream.silentFor = ofUpstream;
  expect(link.unresponsivePeer(0)).toEqual(expected);
});

test('silence is asked for at the time it is given', () => {
  const { client, link } = linked();
  client.silence = ((now: number) => now - 40) as FakeEnd['silence'];
  expect(link.unresponsivePeer(100)).toEqual({ name: 'client', forMs: 60 });
});

test('closing buries who is silent; destroying destroys both', async () => {
  const { client, upstream, closing, link } = linked();
  const ending = endingOf('PEER_SILENT');
  link.close(ending, 'client');
  expect(client.asked).toContain('bury');
  expect(upstream.asked).toContain('tell 1001');
  link.destroy();
  expect([client.asked.at(-1), upstream.asked.at(-1)]).toEqual(['destroy', 'destroy']);
  closing.onClosed(client);
  closing.onClosed(upstream);
  expect(await closing.done).toBe(ending);
});
