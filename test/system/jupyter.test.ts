import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startGuardedExample } from '../support/example.ts';
import { JUPYTER_TOKEN, startJupyter } from '../support/jupyter.ts';
import { pageHeaders, visitorOf } from '../support/visitor.ts';

/** Debian's Jupyter server with a kernel of Python, over TLS: the gateway's token in a cookie, Jupyter's in Authorization. */

async function startScene() {
  const jupyter = await startJupyter();
  const guarded = await startGuardedExample('jupyter', {
    'http://127.0.0.1:8888': `http://127.0.0.1:${jupyter.port}`,
  });
  return guarded;
}

/** A request to a kernel, as Jupyter's messaging protocol has it. */
function execute(code: string): string {
  const header = {
    msg_id: randomUUID(),
    msg_type: 'execute_request',
    session: 'tests',
    username: 'alice',
    version: '5.3',
    date: '2026-01-01T00:00:00Z',
  };
  const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false };
  return JSON.stringify({
    header,
    parent_header: {},
    metadata: {},
    content,
    channel: 'shell',
    buffers: [],
  });
}

test('a kernel is started, computes, and is ended through the gateway', async () => {
  const guarded = await startScene();
  const client = visitorOf(guarded, { ...pageHeaders(guarded), authorization: `token ${JUPYTER_TOKEN}` });
  const created = await client.ask('/api/kernels', { method: 'POST', json: { name: 'python3' } });
  expect(created).toMatchObject({ status: 201 });
  const { id } = JSON.parse(created.body);

  const channels = await client.converse(`/api/kernels/${id}/channels?session_id=tests`);
  channels.say(execute('1+1'));
  await channels.hear(/"text\/plain": ?"2"/, 30_000);
  channels.say(execute('"x" * 2_000_000'));
  const [long] = await channels.hear(/'x{2000000}'/, 30_000);
  expect(long).toHaveLength(2_000_002);
  await channels.part();

  const ended = await client.ask(`/api/kernels/${id}`, { method: 'DELETE' });
  expect(ended).toEqual({ status: 204, body: '' });
  expect(await guarded.gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
    route: 'jupyter',
    bridge: 'websocket',
    subject: 'alice',
  });
});

test('neither token does for the other', async () => {
  const guarded = await startScene();
  const cookieOnly = visitorOf(guarded, pageHeaders(guarded));
  expect(await cookieOnly.ask('/api/kernels')).toMatchObject({
    status: 403,
    body: expect.stringContaining('Forbidden'),
  });
  const tokenOnly = visitorOf(guarded, { authorization: `token ${JUPYTER_TOKEN}` });
  expect(await tokenOnly.ask('/api/kernels')).toMatchObject({ status: 401 });
  expect(guarded.gateway.log.filter(({ msg }) => msg === 'request refused')).toMatchObject([
    { error: 'TOKEN_MISSING' },
  ]);
});
