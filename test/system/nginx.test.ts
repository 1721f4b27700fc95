import { readFile } from 'node:fs/promises';
import { request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { startApplication } from '../support/application.ts';
import { converse } from '../support/conversation.ts';
import { startExample } from '../support/example.ts';
import { startNginx } from '../support/nginx.ts';

/** Debian's nginx in front of the gateway. */

async function startScene(location: readonly string[]) {
  const application = await startApplication('shop');
  onTestFinished(() => application.close());
  const gateway = await startExample('behind-nginx', { '127.0.0.1:3000': `127.0.0.1:${application.port}` });
  const { port } = await startNginx(gateway.port, location);
  return { application, gateway, port };
}

/** The lines that the example tells its reader to write. */
async function linesOfExample(): Promise<string[]> {
  const text = await readFile('config/examples/behind-nginx.yaml', 'utf8');
  const lines = text.match(/(?<=^# {3})proxy_.*;$/gm) ?? [];
  return lines.map((line) => line.replace('127.0.0.1:8080', 'gateway'));
}

test('with proxy_pass alone pages come', async () => {
  const { application, gateway, port } = await startScene(['proxy_pass http://gateway;']);
  for (const method of ['GET', 'POST'] as const) {
    const answer = await request(`http://127.0.0.1:${port}/a/page?x=1`, {
      method,
      body: method === 'POST' ? 'note' : null,
    });
    expect(answer.statusCode).toBe(200);
    expect(await answer.body.text()).toBe('shop page /a/page?x=1');
  }
  expect(application.requests.map(({ headers }) => headers.host)).toEqual(['gateway', 'gateway']);
  expect(gateway.log.filter(({ msg }) => msg === 'request served')).toHaveLength(2);
});

test('with the usual lines pages and WebSockets come, and the client is known by its own address', async () => {
  const { application, gateway, port } = await startScene(await linesOfExample());
  const answer = await request(`http://127.0.0.1:${port}/page`);
  expect(await answer.body.text()).toBe('shop page /page');
  const origin = `http://127.0.0.1:${port}`;
  const options = { localAddress: '127.0.0.9', origin };
  const conversation = await converse(`ws://127.0.0.1:${port}/chat`, [], options);
  await conversation.hear(/^shop socket \/chat$/);
  conversation.say('x'.repeat(300_000));
  await conversation.hear(/^x{300000}$/);
  expect(await conversation.part()).toBe(1000);
  expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
    clientAddress: '127.0.0.9',
    close: 1000,
    by: 'client',
  });
  const fields = { 'x-forwarded-for': '127.0.0.9, 127.0.0.1', host: `127.0.0.1:${port}` };
  expect(application.requests.at(-1)?.headers).toMatchObject(fields);
});
