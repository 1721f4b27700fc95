import { describe, expect, test } from 'vitest';
import { eventually, metric } from '../support/census.ts';
import { deadPort, startUpstream, startWebSocket } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { handshake, open, say, type Wire } from '../support/raw.ts';

/** Several targets behind one route: who gets what, and what is said of them. */

function gatewayTo(upstream: string) {
  return startGateway(`
routes:
  - { name: r, match: { path: /* }, auth: none, timeouts: { handshake: 2s }, upstream: { ${upstream} } }`);
}

const targetOf = (port: number) => `127.0.0.1:${port}`;

describe('three WebSocket targets', () => {
  test('share the live sessions; when one stops, nobody waits for it', async () => {
    const services = [await startWebSocket(), await startWebSocket(), await startWebSocket()];
    const [one, two, three] = services as [(typeof services)[0], (typeof services)[0], (typeof services)[0]];
    await using gateway = await gatewayTo(
      `websocket: [${services.map(({ port }) => `"ws://${targetOf(port)}"`)}]`,
    );
    const opened: Wire[] = [];
    for (let session = 0; session < 9; session++) opened.push(await open(gateway.port, '/x'));
    expect(services.map((service) => service.open)).toEqual([3, 3, 3]);

    await two.close();
    await eventually(() => gateway.gateway.connections === 6);
    const startedAt = performance.now();
    for (let session = 0; session < 10; session++) opened.push(await open(gateway.port, '/x'));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect([one.open, three.open]).toEqual([8, 8]);

    const metrics = await gateway.metrics();
    const value = (name: string, labels: object) =>
      metric(metrics, `sallyport_upstream_${name}`, { route: 'r', ...labels });
    const dead = { target: targetOf(two.port) };
    expect(value('dials_total', { ...dead, outcome: 'UPSTREAM_REFUSED' })).toBe(1);
    expect([value('healthy', dead), value('healthy', { target: targetOf(one.port) })]).toEqual([0, 1]);
    expect([value('sessions', dead), value('sessions', { target: targetOf(three.port) })]).toEqual([0, 8]);
    expect(value('dial_seconds_count', {})).toBe(19);
    for (const client of opened) client[Symbol.dispose]();
    await eventually(() => gateway.gateway.connections === 0);
    expect(metric(await gateway.metrics(), 'sallyport_upstream_sessions')).toBe(0);
    await Promise.all(services.map((service) => service.close()));
  });
});

describe('the log names the target', () => {
  test('in both lines of a session', async () => {
    await using service = await startWebSocket();
    await using gateway = await gatewayTo(`websocket: "ws://${targetOf(service.port)}"`);
    const client = await open(gateway.port, '/x');
    client.sendClose(1000);
    for (const msg of ['session opened', 'session ended'])
      expect(await gateway.logged((line) => line.msg === msg)).toMatchObject({
        target: targetOf(service.port),
      });
    client[Symbol.dispose]();
  });

  test('in a refusal: every one that was dialled, each with its cause', async () => {
    const dead = await deadPort();
    await using mad = await startUpstream((wire) => wire.write('What?\r\n\r\n'));
    await using gateway = await gatewayTo(
      `websocket: ["ws://${targetOf(dead)}", "ws://${targetOf(mad.port)}"]`,
    );
    using client = await say(gateway.port, handshake('/x'));
    expect((await client.answer()).status).toBe(503);
    const line = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(line).toMatchObject({
      error: 'NO_HEALTHY_UPSTREAM',
      targets: [
        { target: targetOf(dead), error: 'UPSTREAM_REFUSED', cause: expect.stringContaining('ECONNREFUSED') },
        { target: targetOf(mad.port), error: 'UPSTREAM_INVALID', cause: expect.stringContaining('HPE_') },
      ],
    });
  });

  test('in a refusal that is the upstream’s own', async () => {
    await using no = await startUpstream((wire) =>
      wire.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
    );
    await using gateway = await gatewayTo(`websocket: "ws://${targetOf(no.port)}"`);
    using client = await say(gateway.port, handshake('/x'));
    expect((await client.answer()).status).toBe(403);
    const line = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(line).toMatchObject({ targets: [{ target: targetOf(no.port), error: 'FORBIDDEN' }] });
  });

  test('in a refusal, when the client did not wait for the answer', async () => {
    await using mute = await startUpstream();
    await using gateway = await gatewayTo(`websocket: "ws://${targetOf(mute.port)}"`);
    const client = await say(gateway.port, handshake('/x'));
    const asked = await mute.wire();
    await asked.until(() => asked.head !== undefined, 'a handshake');
    client.socket.resetAndDestroy();
    const line = await gateway.logged(({ msg }) => msg === 'upgrade refused');
    expect(line).toMatchObject({ error: 'CLIENT_LOST', targets: [{ target: targetOf(mute.port) }] });
  });

  test('of a TCP, a poll and a plain route', async () => {
    await using tcp = await startUpstream();
    await using http = await startUpstream((wire) => {
      wire.socket.on('data', () => wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
    await using gateway = await startGateway(`
routes:
  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "${targetOf(tcp.port)}" } }
  - name: poll
    match: { path: /poll }
    auth: none
    upstream: { poll: { target: "http://${targetOf(http.port)}", open: { path: /open }, poll: { path: /poll } } }
  - { name: site, match: { path: /* }, auth: none, upstream: { http: "http://${targetOf(http.port)}" } }`);
    using _tcp = await open(gateway.port, '/tcp');
    using _poll = await open(gateway.port, '/poll');
    await (await fetch(`http://127.0.0.1:${gateway.port}/`)).text();
    for (const [route, msg, service] of [
      ['tcp', 'session opened', tcp],
      ['poll', 'session opened', http],
      ['site', 'request served', http],
    ] as const) {
      const line = await gateway.logged((one) => one.route === route && one.msg === msg);
      expect(line.target).toBe(targetOf(service.port));
    }
  });
});

describe('the log tells of a target', () => {
  test('that a dial takes out of service: once, however many follow', async () => {
    const dead = await deadPort();
    await using other = await startWebSocket();
    await using gateway = await gatewayTo(
      `websocket: ["ws://${targetOf(dead)}", "ws://${targetOf(other.port)}"], balance: round-robin`,
    );
    for (let session = 0; session < 6; session++) {
      using _client = await open(gateway.port, '/x');
    }
    const line = { level: 'warn', route: 'r', target: targetOf(dead), by: 'dial', cause: 'UPSTREAM_REFUSED' };
    const told = gateway.log.filter(({ msg }) => String(msg).startsWith('target '));
    expect(told).toMatchObject([{ ...line, msg: 'target out of service' }]);
  });

  test('that fails its checks and why, and that is back', async () => {
    const status = { now: '500 Ill' };
    await using service = await startUpstream((wire) => {
      wire.socket.on('data', () => wire.write(`HTTP/1.1 ${status.now}\r\nContent-Length: 0\r\n\r\n`));
    });
    await using gateway = await gatewayTo(
      `http: "http://${targetOf(service.port)}", health: { every: 1s, within: 1s, after: 1 }`,
    );
    const target = targetOf(service.port);
    expect(await gateway.logged(({ msg }) => msg === 'target out of service', 10_000)).toMatchObject({
      target,
      by: 'check',
      cause: 'it answered 500',
    });
    status.now = '200 Well';
    expect(await gateway.logged(({ msg }) => msg === 'target back in service', 10_000)).toMatchObject({
      level: 'info',
      route: 'r',
      target,
    });
  });
});

test('localhost is both loopback addresses, and the one that nobody listens on costs nothing', async () => {
  await using service = await startWebSocket();
  await using gateway = await gatewayTo(`websocket: "ws://app.localhost:${service.port}"`);
  const startedAt = performance.now();
  for (let session = 0; session < 12; session++) {
    using _client = await open(gateway.port, '/x');
  }
  // Each would wait for 250 ms.
  expect(performance.now() - startedAt).toBeLessThan(2_500);
  expect(service.wires).toHaveLength(12);
  const metrics = await gateway.metrics();
  expect(metrics).toContain(
    `sallyport_upstream_healthy{route="r",target="app.localhost:${service.port}/::1"} 0`,
  );
  expect(metrics).toContain(
    `sallyport_upstream_healthy{route="r",target="app.localhost:${service.port}/127.0.0.1"} 1`,
  );
});

test('a target that checks find ill gets nobody, before any client has found out', async () => {
  await using well = await startWebSocket();
  await using deaf = await startWebSocket((wire) => {
    wire.polite = false;
    wire.socket.on('end', () => wire.socket.destroy());
  });
  const list = [well, deaf].map(({ port }) => `"ws://${targetOf(port)}"`);
  await using gateway = await gatewayTo(
    `websocket: [${list}], health: { every: 500ms, within: 500ms, after: 1 }`,
  );
  const isOut = async () =>
    (await gateway.metrics()).includes(
      `sallyport_upstream_healthy{route="r",target="${targetOf(deaf.port)}"} 0`,
    );
  await eventually(isOut);
  for (let session = 0; session < 4; session++) {
    using _client = await open(gateway.port, '/x');
  }
  const line = await gateway.logged(({ msg }) => msg === 'session opened');
  expect(line.target).toBe(targetOf(well.port));
  expect(
    gateway.log.filter(({ msg, target }) => msg === 'session opened' && target === targetOf(deaf.port)),
  ).toEqual([]);
});

test('a DNS server that is no address ends the start', async () => {
  const starting = startGateway(
    'routes: [{ name: r, match: { path: /* }, auth: none, upstream: { tcp: "app.internal:1" } }]',
    {},
    { dnsServers: ['nonsense'] },
  );
  await expect(starting).rejects.toMatchObject({ code: 'ERR_INVALID_IP_ADDRESS' });
});
