import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, metric } from '../support/census.ts';
import { folderWith, Process } from '../support/cli.ts';
import { startEcho } from '../support/faulty.ts';
import { portOf } from '../support/servers.ts';
import { expectMessagesWithin, MESSAGES } from '../support/subjects.ts';
import { mint, signingKey } from '../support/tokens.ts';
import {
  endingsOf,
  enter,
  enterMany,
  expectFilledAgain,
  serve,
  sessionsOf,
  startWorkers,
} from '../support/workers.ts';

/** A gateway of several processes, as its clients and operators meet it. */

describe('limits hold over all workers', () => {
  test('a thousand upgrades are let in as often as the limit says', async () => {
    const gateway = await startWorkers('upgrades: { rate: 100/h, per: origin }');
    const open = (await enterMany(gateway, 1_000)).length;
    expect(open).toBe(100);
    const text = await gateway.metrics();
    expect(metric(text, 'sallyport_limited_total', { limit: 'upgrades' })).toBe(900);
    expect(metric(text, 'sallyport_sessions_open')).toBe(100);
    expect((await sessionsOf(gateway)).open).toBe(100);
  }, 60_000);

  test('one subject has as many connections as the limit says, also when a worker has died', async () => {
    const gateway = await startWorkers('connections: { max: 50, per: subject }');
    const open = await enterMany(gateway, 100);
    expect(open.length).toBe(50);
    expect(await enter(gateway)).toBe(429);
    expect(await enter(gateway, 'bob')).toBeInstanceOf(WebSocket);
    const codes = endingsOf(open);
    process.kill(gateway.workers().get(1) as number, 'SIGKILL');
    await eventually(
      () => codes.length > 0,
      () => 'nobody of the worker that has died has ended',
    );
    await expectFilledAgain(gateway, open);
  }, 60_000);

  test('messages of one subject over sockets at both are as many as the limit says', async () => {
    const gateway = await startWorkers(MESSAGES);
    await expectMessagesWithin(await enterMany(gateway, 4));
  }, 60_000);

  test('as many connections as the process may have are divided', async () => {
    const gateway = await startWorkers('', 'workers: 2\nlimits: { connections: 5 }');
    expect((await enterMany(gateway, 20)).length).toBe(5);
  });
});

describe('what operators ask', () => {
  test('pages list the sessions of all workers in the order in which they were opened', async () => {
    const gateway = await startWorkers();
    await enterMany(gateway, 20);
    const whole = await sessionsOf(gateway);
    expect(whole.sessions.length).toBe(20);
    const since = whole.sessions.map((session) => Date.parse(session.since));
    // Each worker notes by itself when a session began, and when it is listed.
    for (const [index, at] of since.entries()) expect(at).toBeGreaterThan((since[index - 1] ?? 0) - 100);
    const paged: string[] = [];
    let next: number | undefined = 0;
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof sessionsOf>> = await sessionsOf(
        gateway,
        `?limit=7&after=${next}`,
      );
      paged.push(...page.sessions.map(({ id }) => id));
      next = page.next;
    }
    expect(paged).toEqual(whole.sessions.map(({ id }) => id));
  });

  test('each session is found and ended, whichever worker has it', async () => {
    const gateway = await startWorkers();
    const sockets = await enterMany(gateway, 6);
    const codes = endingsOf(sockets);
    for (const { id } of (await sessionsOf(gateway)).sessions) {
      expect(await (await gateway.ask(`/sessions/${id}`)).json()).toMatchObject({ id });
      expect((await gateway.ask(`/sessions/${id}?code=4001`, 'DELETE')).status).toBe(204);
    }
    await eventually(
      () => codes.length === 6,
      () => `${codes.length} have ended`,
    );
    expect(codes).toEqual(Array(6).fill(4001));
    expect((await gateway.ask('/sessions/nobody')).status).toBe(410);
  });

  test('who is revoked leaves, and comes in nowhere any more', async () => {
    const gateway = await startWorkers();
    const sockets = await enterMany(gateway, 8);
    const others = await enterMany(gateway, 4, 'bob');
    const codes = endingsOf(sockets);
    const answer = await gateway.ask('/revocations', 'POST', '{"subject": "alice"}');
    expect(answer.status).toBe(200);
    await eventually(
      () => codes.length === 8,
      () => `${codes.length} have ended`,
    );
    expect(codes).toEqual(Array(8).fill(3000));
    for (let index = 0; index < 4; index++) expect(await enter(gateway)).toBe(401);
    expect(others.every(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true);
    expect(await (await gateway.ask('/revocations')).json()).toMatchObject({
      revocations: [{ by: 'subject', value: 'alice' }],
    });
  });
});

describe('a worker that dies', () => {
  test('takes only its own sessions, and another takes its place', async () => {
    const gateway = await startWorkers();
    const sockets = await enterMany(gateway, 20);
    const codes = endingsOf(sockets);
    const before = metric(await gateway.metrics(), 'sallyport_upgrades_total', { outcome: 'accepted' });
    expect(before).toBe(20);
    const [number, pid] = [...gateway.workers()][0] as [number, number];
    process.kill(pid, 'SIGKILL');
    await eventually(
      () => gateway.workers().get(number) !== pid,
      () => 'nobody has taken its place',
    );
    await eventually(
      () => codes.length > 0,
      () => 'nobody of the worker that has died has ended',
    );
    const lost = codes.length;
    expect(lost).toBeLessThan(20);
    expect(codes).toEqual(Array(lost).fill(1006));
    for (const socket of sockets.filter(({ readyState }) => readyState === WebSocket.OPEN)) {
      socket.send('still there');
      expect(String(await once(socket, 'message').then(([data]) => data))).toBe('still there');
    }
    const text = await gateway.metrics();
    expect(metric(text, 'sallyport_upgrades_total', { outcome: 'accepted' })).toBe(20);
    expect(metric(text, 'sallyport_sessions_open')).toBe(20 - lost);
    expect(metric(text, 'sallyport_worker_deaths_total')).toBe(1);
    expect(metric(text, 'sallyport_workers')).toBe(2);
    expect(gateway.lines()).toContainEqual(
      expect.objectContaining({ msg: 'worker died', worker: number, pid, signal: 'SIGKILL' }),
    );
    expect((await enterMany(gateway, 10)).length).toBe(10);
    expect((await sessionsOf(gateway)).open).toBe(30 - lost);
    expect(metric(await gateway.metrics(), 'sallyport_upgrades_total', { outcome: 'accepted' })).toBe(30);
  }, 30_000);

  test('knows what was revoked before', async () => {
    const gateway = await startWorkers();
    await gateway.ask('/revocations', 'POST', '{"subject": "alice"}');
    for (const [number, pid] of gateway.workers()) {
      process.kill(pid, 'SIGKILL');
      await eventually(
        () => gateway.workers().get(number) !== pid,
        () => 'nobody has taken its place',
      );
    }
    for (let index = 0; index < 4; index++) expect(await enter(gateway)).toBe(401);
  }, 30_000);

  test('does not keep the clients that were on their way to it', async () => {
    const gateway = await startWorkers();
    const [, pid] = [...gateway.workers()][0] as [number, number];
    process.kill(pid, 'SIGSTOP');
    const clients = Array.from({ length: 4 }, () => enter(gateway));
    const first = await Promise.race(clients);
    expect(first).toBeInstanceOf(WebSocket);
    process.kill(pid, 'SIGKILL');
    const results = await Promise.all(clients);
    expect(results.filter((result) => result === 0).length).toBe(1);
    expect(results.filter((result) => typeof result !== 'number').length).toBe(3);
  }, 30_000);

  test('holds nothing any more, also where clients were on their way to it', async () => {
    const gateway = await startWorkers('connections: { max: 6, per: subject }');
    const open = await enterMany(gateway, 6);
    const [, pid] = [...gateway.workers()][0] as [number, number];
    process.kill(pid, 'SIGSTOP');
    const clients = Array.from({ length: 4 }, () => enter(gateway));
    expect(await Promise.race(clients)).toBe(429);
    process.kill(pid, 'SIGKILL');
    expect((await Promise.all(clients)).filter((result) => result === 0).length).toBe(1);
    await expectFilledAgain(gateway, open);
    expect(await sessionsOf(gateway)).toMatchObject({ open: 6 });
    expect(metric(await gateway.metrics(), 'sallyport_sessions_open')).toBe(6);
  }, 30_000);

  test('leaves the others in the dark if it hangs, and that is said', async () => {
    const gateway = await startWorkers();
    await enterMany(gateway, 4);
    const [number, pid] = [...gateway.workers()][0] as [number, number];
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    const page = await sessionsOf(gateway);
    expect(page).toMatchObject({ silent: [number] });
    expect(page.open).toBe(page.sessions.length);
    expect(page.open).toBeLessThan(4);
    expect((await gateway.ask('/readyz')).status).toBe(200);
  }, 30_000);
});

describe('the end', () => {
  test('all drain at SIGTERM', async () => {
    const gateway = await startWorkers();
    const codes = endingsOf(await enterMany(gateway, 8));
    gateway.daemon.signal('SIGTERM');
    expect(await gateway.daemon.exit).toBe(0);
    expect(codes).toEqual(Array(8).fill(1001));
    const stopped = gateway.lines().filter(({ msg }) => msg === 'stopped');
    expect(stopped.map(({ worker }) => worker).sort()).toEqual([1, 2]);
  });

  test('a second signal does not wait', async () => {
    const gateway = await startWorkers();
    await enterMany(gateway, 2);
    for (const pid of gateway.workers().values()) process.kill(pid, 'SIGSTOP');
    gateway.daemon.signal('SIGTERM');
    await gateway.daemon.line(/a second signal/);
    gateway.daemon.signal('SIGTERM');
    expect(await gateway.daemon.exit).toBe(1);
    for (const pid of gateway.workers().values()) expect(isAlive(pid)).toBe(false);
  });

  test('no worker stays where the primary is killed', async () => {
    const gateway = await startWorkers();
    const codes = endingsOf(await enterMany(gateway, 4));
    gateway.daemon.signal('SIGKILL');
    await eventually(
      () => [...gateway.workers().values()].every((pid) => !isAlive(pid)),
      () => 'workers are still there',
      10_000,
    );
    expect(codes).toEqual(Array(4).fill(1001));
  });

  test('a port that is taken is told once, as by one process', async () => {
    const echo = await startEcho();
    onTestFinished(() => echo.close());
    const folder = await folderWith({
      'gate.yaml': `
listeners: [{ host: 127.0.0.1, port: ${echo.port} }]
workers: 2
routes: [{ name: a, match: { path: / }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }]`,
    });
    const daemon = new Process(['serve', `${folder}/gate.yaml`]);
    expect(await daemon.exit).toBe(1);
    expect(daemon.err).toBe(
      `sallyport: 127.0.0.1:${echo.port} is taken: stop the program that listens there, or choose another port\n`,
    );
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('what comes for a session of any worker', () => {
  test('is pushed to it, at once also where another worker hangs', async () => {
    const service = createServer((_, response) => void response.writeHead(204).end());
    await once(service.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void service.close());
    const gateway = await serve(`workers: 2
routes: [{ name: a, match: { path: /chat }, origins: [https://a.test], auth: none, upstream: { post: "http://127.0.0.1:${portOf(service)}" } }]`);
    const sockets = await enterMany(gateway, 4);
    const heard: string[] = [];
    for (const socket of sockets) socket.on('message', (data) => heard.push(String(data)));
    const { sessions } = await sessionsOf(gateway);
    for (const { id } of sessions)
      expect((await gateway.ask(`/connections/${id}`, 'POST', `for ${id}`)).status).toBe(200);
    await eventually(
      () => heard.length === 4,
      () => `${heard.length} have been heard`,
    );
    expect([...heard].sort()).toEqual(sessions.map(({ id }) => `for ${id}`).sort());
    const pid = gateway.workers().get(1) as number;
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    const [still] = (await sessionsOf(gateway)).sessions;
    const since = performance.now();
    expect((await gateway.ask(`/connections/${still?.id}`, 'POST', 'again')).status).toBe(200);
    expect(performance.now() - since).toBeLessThan(3_000);
  }, 30_000);

  test('is told by its identity provider: who signs out leaves all workers', async () => {
    const gateway = await startWorkers('', 'workers: 2', '', ', logout: { clientId: app }');
    const codes = endingsOf(await enterMany(gateway, 6));
    const now = Math.floor(Date.now() / 1000);
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
    const claims = { aud: 'app', sub: 'alice', iat: now, exp: now + 60, jti: 'one', events };
    const body = new URLSearchParams({
      logout_token: mint(signingKey('HS256'), claims, { typ: 'logout+jwt' }),
    });
    const show = () => fetch(`http://127.0.0.1:${gateway.port}/.sallyport/logout`, { method: 'POST', body });
    expect((await show()).status).toBe(200);
    await eventually(
      () => codes.length === 6,
      () => `${codes.length} have ended`,
    );
    // Whichever worker it comes to.
    expect((await Promise.all([show(), show()])).map(({ status }) => status)).toEqual([400, 400]);
  }, 30_000);
});
