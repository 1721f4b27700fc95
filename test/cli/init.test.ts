import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { folderWith, Process, sallyport } from '../support/cli.ts';
import { freePort } from '../support/ports.ts';

/** The configuration that it writes, on ports that are free here. */
async function initiated() {
  const folder = await folderWith({});
  const { code, out, err } = await sallyport(['init', folder]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  const file = join(folder, 'sallyport.yaml');
  const ports = { 8080: await freePort(), 9090: await freePort(), 3000: await freePort() };
  const text = await readFile(file, 'utf8');
  await writeFile(
    file,
    text.replace(/\b(8080|9090|3000)\b/g, (port) => String(ports[Number(port) as keyof typeof ports])),
  );
  return { folder, file, out, ports };
}

test('init, check, serve, token: a WebSocket gets in, with a token only', async () => {
  const { file, ports } = await initiated();
  expect(await sallyport(['check', file])).toMatchObject({ code: 0, err: '' });

  const daemon = new Process(['serve', file]);
  await daemon.line(/"listening"/);
  const readyz = await fetch(`http://127.0.0.1:${ports[9090]}/readyz`);
  expect(readyz.status).toBe(200);

  const { out: token } = await sallyport(['token', '--config', file, '--subject', 'me']);
  const connect = (headers: Record<string, string>) =>
    new WebSocket(`ws://127.0.0.1:${ports[8080]}/`, { headers });
  const good = { authorization: `Bearer ${token.trim()}` };
  expect(await refusal(connect({}))).toMatch(/^401 TOKEN_MISSING/);
  expect(await refusal(connect(good))).toMatch(/^502 UPSTREAM_REFUSED/);

  const service = new WebSocketServer({ host: '127.0.0.1', port: ports[3000] });
  onTestFinished(() => void service.close());
  service.on('connection', (socket) => socket.on('message', (text) => socket.send(`you: ${text}`)));
  await once(service, 'listening');
  const client = await eventuallyOpen(() => connect(good));
  client.send('hello');
  expect(String((await once(client, 'message'))[0])).toBe('you: hello');
  client.close();
  daemon.signal('SIGTERM');
  expect(await daemon.exit).toBe(0);
});

/** A target that has failed is left alone for a second. */
async function eventuallyOpen(connect: () => WebSocket): Promise<WebSocket> {
  let client = connect();
  await expect
    .poll(
      async () => {
        const outcome = await Promise.race([
          once(client, 'open').then(() => 'open'),
          once(client, 'error').then(() => 'refused'),
        ]);
        if (outcome === 'refused') client = connect();
        return outcome;
      },
      { timeout: 5_000 },
    )
    .toBe('open');
  onTestFinished(() => client.terminate());
  return client;
}

async function refusal(client: WebSocket): Promise<string> {
  client.on('error', () => {});
  const [, response] = await once(client, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return `${response.statusCode} ${body}`;
}

describe('the secret', () => {
  test('has 256 bits, only its owner reads it, and no two are the same', async () => {
    const secrets = await Promise.all(
      [1, 2].map(async () => {
        const file = join((await initiated()).folder, 'sallyport.secret');
        expect((await stat(file)).mode & 0o777).toBe(0o600);
        return Buffer.from((await readFile(file, 'utf8')).trim(), 'base64url');
      }),
    );
    expect(secrets.map(({ length }) => length)).toEqual([32, 32]);
    expect(secrets[0]?.equals(secrets[1] as Buffer)).toBe(false);
  });
});

describe('the place', () => {
  test('may be a folder that is not there yet, or a file', async () => {
    const folder = await folderWith({});
    await sallyport(['init', join(folder, 'a/b')]);
    await sallyport(['init', join(folder, 'gate.yml')]);
    expect((await readdir(join(folder, 'a/b'))).sort()).toEqual(['sallyport.secret', 'sallyport.yaml']);
    expect((await readdir(folder)).sort()).toEqual(['a', 'gate.secret', 'gate.yml']);
    expect(await sallyport(['check', join(folder, 'gate.yml')])).toMatchObject({ code: 0, err: '' });
  });

  test.each(['sallyport.yaml', 'sallyport.secret'])(
    'is left as it was where there is a %s already',
    async (name) => {
      const folder = await folderWith({ [name]: 'mine' });
      const { code, out, err } = await sallyport(['init', folder]);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toBe(`sallyport: ${join(folder, name)} is there already; nothing was written\n`);
      expect(await readdir(folder)).toEqual([name]);
      expect(await readFile(join(folder, name), 'utf8')).toBe('mine');
    },
  );

  test('that cannot be is told', async () => {
    const folder = await folderWith({ file: '' });
    const { code, err } = await sallyport(['init', join(folder, 'file/in-it')]);
    expect(code).toBe(1);
    expect(err).toBe(
      `sallyport: cannot make the folder ${join(folder, 'file/in-it')} (ENOTDIR); nothing was written\n`,
    );
  });
});

describe('what it says', () => {
  test('names the next three commands, and one that connects', async () => {
    const { file, out } = await initiated();
    for (const command of [
      `sallyport check ${file}\n`,
      `sallyport serve ${file}\n`,
      `sallyport token --config ${file} --subject me\n`,
      'npx wscat --listen 3000\n',
      `npx wscat --header "Authorization: Bearer $(sallyport token --config ${file} --subject me)" --connect ws://127.0.0.1:8080/\n`,
    ])
      expect(out).toContain(command);
  });

  test('begins with what was used, and leads to where npm was started', async () => {
    const folder = await folderWith({});
    const env = { npm_lifecycle_event: 'sallyport', INIT_CWD: folder };
    const { code, out } = await sallyport(['init', 'a'], env);
    expect(code).toBe(0);
    const file = join(folder, 'a/sallyport.yaml');
    const token = `npm run --silent sallyport -- token --config ${file} --subject me`;
    for (const command of [
      `npm run sallyport -- check ${file}\n`,
      `npm run sallyport -- serve ${file}\n`,
      `${token}\n`,
      `"Authorization: Bearer $(${token})"`,
    ])
      expect(out).toContain(command);
    expect(out).not.toMatch(/(?<!run|silent) sallyport (check|serve|token)/);
  });

  test('is about its own name in any other script of npm', async () => {
    const folder = await folderWith({});
    const env = { npm_lifecycle_event: 'test', INIT_CWD: '/nowhere' };
    const { out } = await sallyport(['init', join(folder, 'a')], env);
    expect(out).toContain(` sallyport check ${folder}/a/sallyport.yaml\n`);
  });

  test('can be pasted whatever the folder is called, and so can the file be read', async () => {
    const folder = await folderWith({});
    const place = join(folder, "it's #1: mine");
    await mkdir(place);
    const { out } = await sallyport(['init', place]);
    expect(out).toContain(`sallyport serve '${folder}/it'\\''s #1: mine/sallyport.yaml'\n`);
    const { code, err } = await sallyport(['init', join(place, 'a #b: {c}.yaml')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(await sallyport(['check', join(place, 'a #b: {c}.yaml')])).toMatchObject({ code: 0, err: '' });
  });
});
