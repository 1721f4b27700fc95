import { describe, expect, test } from 'vitest';
import { type Process, startServing } from '../support/cli.ts';
import { startUpstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV } from '../support/fresh.ts';
import { BINARY, open, TEXT, type Wire } from '../support/raw.ts';
import { type Language, startListener } from '../support/tcp-listeners.ts';
import { ISSUER } from '../support/tokens.ts';

/** A TCP service can tell a stream that is whole from one that was cut: by a FIN, or by a reset. */

const LINE = 'half a file';
const TOKEN_S = 2;

function config(port: number): string {
  const to = `upstream: { tcp: "127.0.0.1:${port}" }`;
  return `
listeners: [{ host: 127.0.0.1, port: 0 }]
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${TEST_SECRET}", clockTolerance: 1ms }
routes:
  - { name: open, match: { path: /open }, auth: none, limits: { messageSize: 1KiB }, keepalive: { every: 500ms, within: 500ms }, ${to} }
  - { name: large, match: { path: /large }, auth: none, ${to} }
  - { name: token, match: { path: /token }, auth: { issuer: main }, ${to} }
`;
}

interface Case {
  /** What ends the session. */
  readonly end: (client: Wire, daemon: Process) => void;
  /** What the service sees. */
  readonly seen: 'FIN' | 'ECONNRESET';
  /** The code that the client is told, where it is there to be told. */
  readonly code?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  'a Close with 1000': { end: (client) => client.sendClose(1000), seen: 'FIN', code: 1000 },
  'a Close with 1001': { end: (client) => client.sendClose(1001), seen: 'FIN', code: 1001 },
  'a Close with another code': { end: (client) => client.sendClose(4000), seen: 'ECONNRESET', code: 4000 },
  'a reset': { end: (client) => client.socket.resetAndDestroy(), seen: 'ECONNRESET' },
  'a FIN without a Close': { end: (client) => client.socket.end(), seen: 'ECONNRESET' },
  'no answer to our ping': { end: fallSilent, seen: 'ECONNRESET', code: 1001 },
  'a text message (1003)': { end: (client) => client.send(TEXT, LINE), seen: 'ECONNRESET', code: 1003 },
  'a message too big (1009)': { end: sendTooMuch, seen: 'ECONNRESET', code: 1009 },
  'the end of its token': { end: () => {}, seen: 'ECONNRESET', code: 3000 },
  'our shutdown': { end: (_, daemon) => daemon.signal('SIGTERM'), seen: 'ECONNRESET', code: 1001 },
};

function fallSilent(client: Wire): void {
  client.polite = false;
}

function sendTooMuch(client: Wire): void {
  client.send(BINARY, Buffer.alloc(1025));
}

describe.each<Language>(['Node', 'Python'])('a service in %s', (language) => {
  test.each(Object.entries(CASES))('whose client ends with %s', async (name, { end, seen, code }) => {
    const service = await startListener(language);
    const { daemon, port } = await startServing(config(service.port), TOKEN_ENV);
    const isExpiring = name.includes('token');
    const exp = Math.floor(Date.now() / 1_000) + TOKEN_S;
    const headers = isExpiring ? { Authorization: `Bearer ${freshToken({ exp })}` } : {};
    using client = await open(port, isExpiring ? '/token' : '/open', headers);
    client.send(BINARY, LINE);
    await service.heard(LINE);
    end(client, daemon);
    expect(await service.ended()).toBe(`${seen} ${LINE}`);
    if (code !== undefined) expect(await client.ended()).toMatchObject({ code });
    if (name === 'our shutdown') expect(await daemon.exit).toBe(0);
  });
});

// A reset takes with it what the service's system has not confirmed yet (RFC 9293 §3.10.5): it has to wait for that.
test('a service that reads late gets all that its client had sent before our shutdown', async () => {
  const sent = Buffer.alloc(2 ** 20);
  await using service = await startUpstream((wire) => void wire.socket.pause());
  const { daemon, port } = await startServing(config(service.port), TOKEN_ENV);
  using client = await open(port, '/large');
  client.send(BINARY, sent);
  await client.until(() => client.socket.writableLength === 0, 'to have sent it');
  daemon.signal('SIGTERM');
  expect(await client.ended()).toMatchObject({ code: 1001 });
  const [wire] = service.wires as [Wire];
  wire.socket.resume();
  await wire.until(() => wire.end !== undefined, 'the end');
  expect([wire.received, wire.end]).toEqual([sent.length, 'reset']);
  expect(await daemon.exit).toBe(0);
});
