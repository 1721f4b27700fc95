import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { closeAll, dial, openFront, tcpUpstream } from '../support/passthrough.ts';
import { httpRoute } from '../support/route.ts';

afterEach(closeAll);

/** An upstream that answers each request with `answers` in turn, one for each match of `until` in what it is sent. */
async function scripted(
  answers: readonly string[],
  until = /\r\n\r\n/,
  changes: Record<string, unknown> = {},
) {
  const seen = { text: '' };
  const url = await tcpUpstream((socket) => {
    const left = [...answers];
    let asked = '';
    socket.on('data', (chunk) => {
      asked += chunk.toString('latin1');
      seen.text += chunk.toString('latin1');
      if (!until.test(asked)) return;
      asked = '';
      socket.write(left.shift() ?? '', 'latin1');
    });
  });
  const front = await openFront(httpRoute(url, changes));
  return { seen, front, client: await dial(front.port) };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('Expect', () => {
  const EXPECTING = 'PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';

  test('goes to the upstream, and its 100 to the client', async () => {
    const { seen, front, client } = await scripted(['HTTP/1.1 100 Continue\r\n\r\n', OK], /\r\n\r\n$|body$/);
    client.write(EXPECTING);
    await expect.poll(() => client.text).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(seen.text).toMatch(/expect: 100-continue/i);
    client.write('body');
    expect(await front.outcome()).toMatchObject({ status: 200 });
    await expect.poll(() => client.text).toMatch(/HTTP\/1.1 200 OK.*ok$/s);
    expect(seen.text).toMatch(/body$/);
  });

  test.each([417, 413])('a %i in place of it goes to the client, whose connection ends', async (status) => {
    const answer = `HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`;
    const { seen, client } = await scripted([answer]);
    client.write(EXPECTING);
    await once(client, 'end');
    expect(client.text).toMatch(new RegExp(`^HTTP/1.1 ${status} No\r\n.*Connection: close.*no$`, 's'));
    expect(seen.text).not.toContain('body');
  });

  test('of HTTP/1.0 is passed over', async () => {
    const { seen, client } = await scripted([OK], /body$/);
    client.write(`${EXPECTING.replace('HTTP/1.1', 'HTTP/1.0')}body`);
    await once(client, 'end');
    expect(client.text).toMatch(/^HTTP\/1.1 200 OK/);
    expect(seen.text).not.toMatch(/expect:/i);
  });
});

describe('interim answers', () => {
  const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

  test('103 reaches the client before the answer, its fields as sent', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </\xe9.css>; rel=preload\r\nLink: </b.js>\r\n\r\n';
    const { client } = await scripted([early + OK]);
    client.write(GET);
    await expect.poll(() => client.text).toMatch(/ok$/);
    expect(client.text.startsWith(`${early}HTTP/1.1 200 OK\r\n`)).toBe(true);
  });

  test('not one reaches a client of HTTP/1.0', async () => {
    const { client } = await scripted([`HTTP/1.1 103 Early Hints\r\n\r\n${OK}`]);
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    await once(client, 'end');
    expect(client.text).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test('a 100 that nobody waits for ends here', async () => {
    const { client } = await scripted([`HTTP/1.1 100 Continue\r\n\r\n${OK}`]);
    client.write(GET);
    await expect.poll(() => client.text).toMatch(/^HTTP\/1.1 200 OK.*ok$/s);
  });

  test('a flood of them is an invalid answer', async () => {
    const { front, client } = await scripted(['HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(33) + OK]);
    client.write(GET);
    expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_INVALID' });
  });
});

describe('trailers', () => {
  const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\n';
  const answer = `${CHUNKED}x-sum: 1\r\nHost: elsewhere\r\n\r\n`;

  test('of the answer reach a client that asks for them, without those that have no place there', async () => {
    const { seen, front, client } = await scripted([answer]);
    client.write('GET / HTTP/1.1\r\nHost: a\r\nTE: deflate;q=0.5, trailers\r\nConnection: TE\r\n\r\n');
    expect(await front.outcome()).toMatchObject({ status: 200, bytes: 2 });
    await expect.poll(() => client.text).toMatch(/\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n$/);
    expect(seen.text).toMatch(/^TE: trailers\r$/im);
    expect(seen.text).toMatch(/^Connection: keep-alive, TE\r$/im);
  });

  test('are asked for on a connection that ends with the answer too', async () => {
    const { seen, client } = await scripted([answer], /body$/);
    client.write('DELETE / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nContent-Length: 4\r\n\r\nbody');
    await expect.poll(() => client.text).toMatch(/\r\n0\r\nx-sum: 1\r\n\r\n$/);
    expect(seen.text).toMatch(/^TE: trailers\r$/im);
    expect(seen.text).toMatch(/^Connection: close, TE\r$/im);
  });

  test.each([
    ['204 No Content', 'Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n'],
    ['304 Not Modified', 'Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n'],
    ['204 No Content', 'Trailer: x-sum\r\n\r\n'],
    ['204 No Content', 'Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n0\r\nx-sum: 1\r\n\r\n'],
  ])('of a %s, which has no body, end here: %j', async (status, rest) => {
    const { front, client } = await scripted([`HTTP/1.1 ${status}\r\nA: b\r\n${rest}`]);
    client.write('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
    expect(await front.outcome()).toEqual({ status: Number.parseInt(status, 10), bytes: 0 });
    await expect.poll(() => client.text).toMatch(/\r\n\r\n$/);
    expect(client.text).toMatch(new RegExp(`^HTTP/1.1 ${status}\r\nA: b\r\n`));
    expect(client.text).not.toMatch(/trailer|transfer-encoding|x-sum/i);
  });

  test('of the answer end here otherwise', async () => {
    const { seen, client } = await scripted([answer]);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => client.text).toMatch(/\r\n2\r\nok\r\n0\r\n\r\n$/);
    expect(seen.text).not.toMatch(/^te:/im);
  });

  test('of the request reach the upstream', async () => {
    const { seen, client } = await scripted([OK], /0\r\n(x-sum: 1\r\n)?\r\n$/);
    client.write(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n',
    );
    await expect.poll(() => client.text).toMatch(/ok$/);
    expect(seen.text).toMatch(/\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n$/);
  });

  const NOWHERE_BEHIND = [
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'Content-Type',
    'Location',
    'X_Forwarded_For',
  ];

  test('say nothing that servers look for in a head, nor what the route says or leaves out', async () => {
    const changes = {
      auth: { issuer: 'main', forward: { 'x-user': 'sub' } },
      upstream: {
        headers: { set: { 'x-env': 'prod' }, remove: ['x-debug'] },
        answerHeaders: { set: { 'x-frame-options': 'DENY' }, remove: ['server'] },
      },
    };
    const fields = [...NOWHERE_BEHIND, 'X-User', 'X_Env', 'X-Debug', 'X-Frame-Options', 'Server'];
    const behind = `0\r\n${fields.map((name) => `${name}: 1\r\n`).join('')}x-sum: 1\r\n\r\n`;
    const { seen, client } = await scripted(
      [`${CHUNKED.slice(0, -3)}${behind}`],
      /0\r\n.*\r\n\r\n$/s,
      changes,
    );
    client.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n${behind}`,
    );
    await expect.poll(() => client.text).toMatch(/x-sum: 1\r\n\r\n$/);
    expect(seen.text).toMatch(/\r\nhi\r\n0\r\nX-Frame-Options: 1\r\nServer: 1\r\nx-sum: 1\r\n\r\n$/);
    expect(client.text).toMatch(/\r\nok\r\n0\r\nX-User: 1\r\nX_Env: 1\r\nX-Debug: 1\r\nx-sum: 1\r\n\r\n$/);
  });
});

test.each(['Fine', '', 'Gef\xe4llt mir'])('the reason phrase %j passes as it came', async (reason) => {
  const { client } = await scripted([`HTTP/1.1 200 ${reason}\r\nContent-Length: 2\r\n\r\nok`]);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(() => client.text).toMatch(/ok$/);
  expect(client.text.startsWith(`HTTP/1.1 200 ${reason}\r\n`)).toBe(true);
});

test.each(['HTTP/1.1', 'HTTP/1.0'])('a connection of %s goes on behind a 426', async (version) => {
  const upgrade = 'HTTP/1.1 426 No\r\nUpgrade: a/1\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno';
  const { client } = await scripted([upgrade, OK]);
  const ask = `GET / ${version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`;
  client.write(ask);
  await expect.poll(() => client.text).toMatch(/^Connection: keep-alive, Upgrade\r\n.*no$/ms);
  client.write(ask);
  await expect.poll(() => client.text).toMatch(/ok$/);
});

test('HTTP/1.0 with keep-alive keeps its connection', async () => {
  const { client } = await scripted([OK, OK]);
  for (let round = 1; round <= 2; round += 1) {
    client.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    await expect.poll(() => client.text.split('ok').length - 1).toBe(round);
  }
});
