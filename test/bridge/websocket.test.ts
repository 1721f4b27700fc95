import { expect, test } from 'vitest';
import type { Credential, Grant } from '../../src/admission/grant.ts';
import { createWebSocketDial } from '../../src/bridge/websocket.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { startUpstream } from '../support/faulty.ts';
import { grantOf, routeConfig, upgradeOf } from '../support/handshakes.ts';
import { switching, type Wire } from '../support/raw.ts';

/** What the 101 may say where the upstream chooses the subprotocol `chosen`, in fields of its answer. */
async function acceptanceOf(grant: Partial<Grant>, chosen: string | undefined, extra = '') {
  const fields = chosen === undefined ? extra : `Sec-WebSocket-Protocol: ${chosen}\r\n${extra}`;
  await using upstream = await startUpstream(async function onWire(wire: Wire) {
    await wire.until(() => wire.head !== undefined, 'a handshake');
    wire.write(switching(wire.head ?? '', fields));
  });
  const route = routeConfig({ upstream: { websocket: `ws://127.0.0.1:${upstream.port}` } });
  const pool = new Pool(route, 'websocket', createUpstreamContext());
  try {
    const offered = { protocols: chosen === undefined ? [] : ['chat', chosen] };
    const request = { ...upgradeOf(offered), grant: grantOf(grant), captures: {}, upstreamHeaders: [] };
    const bridge = await createWebSocketDial(route, pool)(request, new AbortController().signal);
    bridge.abandon();
    return bridge.accept;
  } finally {
    pool.close();
  }
}

const inProtocols: Credential = { from: 'subprotocol', carriers: ['bearer', 'T.O.K'], answer: 'bearer' };
const inCookie: Credential = { from: 'cookie', name: 'session' };

test.each<[string, Partial<Grant>, string | undefined, string | undefined]>([
  ['the upstream’s choice', {}, 'chat', 'chat'],
  ['nothing where the upstream chooses nothing', { credential: inProtocols }, undefined, undefined],
  ['the upstream’s choice beside a token', { credential: inProtocols, copies: [inCookie] }, 'v2', 'v2'],
  ['the upstream’s choice where a token came in a cookie', { credential: inCookie }, 'T.O.K', 'T.O.K'],
  ['never a token that the upstream has chosen', { credential: inProtocols }, 'T.O.K', undefined],
  [
    'never a copy of a token, either',
    { credential: inCookie, copies: [inCookie, inProtocols] },
    'T.O.K',
    undefined,
  ],
])('the 101 names %s', async (_name, grant, chosen, named) => {
  expect((await acceptanceOf(grant, chosen)).protocol).toBe(named);
});

test('the 101 carries the upstream’s own fields, and none of its connection', async () => {
  const extra = 'Set-Cookie: lb=a\r\nSERVER: x\r\nKeep-Alive: timeout=5\r\nSet-Cookie: lb2=b\r\n';
  const { headers } = await acceptanceOf({}, undefined, extra);
  expect(headers).toEqual([
    ['Set-Cookie', 'lb=a'],
    ['SERVER', 'x'],
    ['Set-Cookie', 'lb2=b'],
  ]);
});
