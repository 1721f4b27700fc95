import { expect, test } from 'vitest';
import { TCP_RESUME_PROTOCOL, WINDOW_BYTES } from '../../src/tcp-protocol/types.ts';
import { eventually } from '../support/patience.ts';
import { dial, handshake } from '../support/raw.ts';
import type { RawClient, RawOptions } from '../support/tcp-v1.ts';
import { echo, tcpScene } from '../support/tcp-v1-scene.ts';

/** limits.connections where connections outlive their WebSockets: who is lost again and again holds no more of the service than others. */

const back: RawOptions = { protocols: [TCP_RESUME_PROTOCOL] };
const one = { upstream: ', resume: 60s', route: 'limits: { connections: { max: 1, per: route } },' };

const resume = async (client: RawClient, lost: RawClient) => {
  const { resumeId } = await lost.the('OPENED');
  client.send({ type: 'RESUME', resumeId, offset: 0, credit: WINDOW_BYTES });
};

test('one that waits for its client keeps its place, and its client may come back to it', async () => {
  const { open, gateway } = await tcpScene(echo, one);
  const ended = () => gateway.log.filter(({ msg }) => msg === 'connection ended').length;
  const first = await open();
  await first.the('OPENED');
  for (let [lost, times] = [first, 1]; times <= 3; times++) {
    lost.socket.terminate();
    await eventually(() => ended() === times);
    expect(await (await open()).the('FAILED')).toMatchObject({ error: 'connection_limit_reached' });
    lost = await open(back);
    await resume(lost, first);
    await lost.the('RESUMED');
    if (times === 3) lost.socket.close(1000);
  }
  await gateway.logged(({ msg }) => msg === 'session ended');
  expect((await (await open()).the('OPENED')).resumeMs).toBe(60_000);
});

test('one that is taken over keeps its place too, though the WebSocket that began it is gone', async () => {
  const { open } = await tcpScene(echo, one);
  const first = await open();
  const second = await open(back);
  await resume(second, first);
  expect((await first.end()).code).toBe(4409);
  expect(await (await open()).the('FAILED')).toMatchObject({ error: 'connection_limit_reached' });
});

test('those that come back have places among themselves, and no others', async () => {
  const { open } = await tcpScene(echo, one);
  await open(back);
  expect(await (await open(back)).the('FAILED')).toMatchObject({ error: 'connection_limit_reached' });
});

test('who offers to come back without the protocol for it has no second place', async () => {
  const { open, gateway } = await tcpScene(echo, one);
  await (await open()).the('OPENED');
  using plain = await dial(gateway.port);
  plain.write(handshake('/tcp', { 'Sec-WebSocket-Protocol': TCP_RESUME_PROTOCOL }));
  expect((await plain.answer()).status).toBe(429);
});
