import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { OpenAIRealtimeWebSocket } from '@openai/agents-realtime';
import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { fileWith } from '../support/files.ts';
import { within } from '../support/patience.ts';
import { type RealtimeService, startRealtime } from './realtime.ts';
import { serve } from './serve.ts';

/** @openai/agents-realtime on a page and in a program, with users' tokens; the key of the service stays at the gateway. */

const HOST = 'app.example.com';
const [FIRST, SECOND] = ['sk-proj-the-first-key', 'sk-proj-the-second-key'];
const SDK = new URL(
  'node_modules/@openai/agents-realtime/dist/bundle/openai-realtime-agents.umd.js',
  import.meta.url,
);
const PAGE =
  '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/sdk.js"></script>';

interface Scene extends Guarded {
  readonly service: RealtimeService;
  readonly keyFile: string;
  /** A token of somebody who may. */
  readonly voice: string;
}

async function startScene(): Promise<Scene> {
  const service = await startRealtime(FIRST);
  const pages = `{ http: "http://127.0.0.1:${await startPages()}", upgrades: off }`;
  const keyFile = await fileWith(`${FIRST}\n`);
  const guarded = await startGuardedExample('realtime-ai', {
    'wss://api.openai.com/v1/realtime': `ws://127.0.0.1:${service.port}/v1/realtime`,
    'file:realtime-ai.key': `file:${keyFile}`,
    'issuers:\n': 'admin: { port: 0 }\n\nissuers:\n',
    'routes:\n': `routes:\n  - { name: site, match: { path: /* }, auth: none, upstream: ${pages} }\n`,
  });
  return { ...guarded, service, keyFile, voice: guarded.mint({ scope: 'voice' }) };
}

/** The page, and what the package brings for pages. */
async function startPages(): Promise<number> {
  const sdk = await readFile(SDK);
  return serve(
    createServer(({ url }, response) => {
      response.setHeader('content-type', url === '/' ? 'text/html' : 'text/javascript');
      response.end(url === '/' ? PAGE : sdk);
    }),
  );
}

/** A page with the library, and what its browser has seen of the network. */
interface Application {
  readonly page: Page;
  /** What DevTools would show: requests, handshakes and frames; and the console. */
  readonly seen: unknown[];
}

const EVENTS = [
  'Network.requestWillBeSent',
  'Network.responseReceived',
  'Network.webSocketWillSendHandshakeRequest',
  'Network.webSocketHandshakeResponseReceived',
  'Network.webSocketFrameSent',
  'Network.webSocketFrameReceived',
  'Network.webSocketFrameError',
] as const;

async function openApplication(browser: Browser): Promise<Application> {
  const page = await openPage(browser);
  await page.context().addCookies([{ url: `https://${HOST}`, name: 'basket', value: 'pears' }]);
  const seen: unknown[] = [];
  const devTools = await page.context().newCDPSession(page);
  await devTools.send('Network.enable');
  for (const event of EVENTS) devTools.on(event, (details) => seen.push([event, details]));
  page.on('console', (message) => seen.push(message.text()));
  page.on('pageerror', (error) => seen.push(error.message));
  await page.goto(`https://${HOST}/`);
  return { page, seen };
}

/** What the page's author writes. Leaves `say` and `errors` in its window. */
async function connect({ page }: Application, token: string): Promise<unknown> {
  return page.evaluate(`(async () => {
    const { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } = OpenAIAgentsRealtime;
    const url = 'wss://${HOST}/v1/realtime?model=gpt-realtime';
    const transport = new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true });
    const agent = new RealtimeAgent({ name: 'clock', instructions: 'Be brief.' });
    const session = new RealtimeSession(agent, { transport, config: { outputModalities: ['text'] } });
    const updated = new Promise((resolve) => transport.once('session.updated', resolve));
    window.errors = [];
    session.on('error', ({ error }) => window.errors.push(String(error)));
    await session.connect({ apiKey: '${token}' });
    window.say = (text) => new Promise((resolve) => {
      let answer = '';
      const onDelta = ({ delta }) => { answer += delta; };
      transport.on('output_text_delta', onDelta);
      transport.once('turn_done', () => { transport.off('output_text_delta', onDelta); resolve(answer); });
      session.sendMessage(text);
    });
    return (await updated).session.type;
  })()`);
}

const say = ({ page }: Application) => page.evaluate<string>(`window.say('What time is it?')`);

/** Neither what the browser has seen nor what the gateway has written holds a key. */
async function expectSilence({ gateway }: Scene, { page, seen }: Application): Promise<void> {
  const written = [
    JSON.stringify(seen),
    await page.content(),
    JSON.stringify(gateway.log),
    await gateway.metrics(),
  ];
  for (const text of written) expect(text).not.toMatch(/sk-proj/);
}

test('a page talks to the service as its user, and never sees the key', async () => {
  const scene = await startScene();
  const browser = await launchTowards(HOST, scene.gateway.port);
  const application = await openApplication(browser);
  expect(await connect(application, scene.voice)).toBe('realtime');
  expect(await say(application)).toBe('It is ten o’clock.');

  const [asked = ''] = scene.service.asked;
  expect(asked).toMatch(/^\/v1\/realtime\?model=gpt-realtime\n/);
  expect(asked).toMatch(`authorization\nBearer ${FIRST}`);
  expect(asked).toMatch(/sec-websocket-protocol\nrealtime, openai-agents-sdk\.[\d.]+(\n|$)/i);
  expect(asked).toMatch(/openai-safety-identifier\nalice/);
  expect(asked).not.toMatch(/eyJ|insecure|pears|origin/i);

  await scene.gateway.logged(({ msg, route }) => msg === 'session opened' && route === 'realtime');
  const network = JSON.stringify(application.seen);
  expect(network).toContain(`openai-insecure-api-key.${scene.voice}`);
  expect(network).toContain('session.created');
  expect(network).toMatch(/"sec-websocket-protocol":"realtime"/i);
  expect(await application.page.evaluate('window.errors')).toEqual([]);
  await expectSilence(scene, application);
});

test('a new key is used for new connections, and a wrong one is nobody’s to read', async () => {
  const scene = await startScene();
  const browser = await launchTowards(HOST, scene.gateway.port);
  const [old, late, last] = [
    await openApplication(browser),
    await openApplication(browser),
    await openApplication(browser),
  ];
  await connect(old, scene.voice);
  scene.service.key = SECOND;
  await expect(connect(late, scene.voice)).rejects.toThrow();
  const refused = await scene.gateway.logged(({ msg }) => msg === 'upgrade refused');
  expect(refused).toMatchObject({ status: 401, detail: 'the upstream answered 401' });

  writeFileSync(scene.keyFile, `${SECOND}\n`);
  await scene.gateway.logged(({ msg }) => msg === 'credential renewed', 10_000);
  await connect(last, scene.voice);
  expect(await say(last)).toBe('It is ten o’clock.');
  expect(await say(old)).toBe('It is ten o’clock.');
  const keys = scene.service.asked.map((text) => /Bearer (.*)/.exec(text)?.[1]);
  expect(keys).toEqual([FIRST, FIRST, SECOND]);
  for (const application of [old, late, last]) await expectSilence(scene, application);
});

test('who may not gets nothing, and the service hears nothing', async () => {
  const scene = await startScene();
  const application = await openApplication(await launchTowards(HOST, scene.gateway.port));
  await expect(connect(application, scene.token)).rejects.toThrow();
  await scene.gateway.logged(({ error }) => error === 'FORBIDDEN');
  await expect(connect(application, 'sk-a-guess')).rejects.toThrow();
  await scene.gateway.logged(({ error }) => error === 'TOKEN_INVALID');
  expect(scene.service.asked).toEqual([]);
  await expectSilence(scene, application);
});

/** Has this process believe a certificate until the test has finished. */
function trust(ca: Buffer): void {
  const usual = getCACertificates('default');
  setDefaultCACertificates([...usual, ca.toString()]);
  onTestFinished(() => setDefaultCACertificates(usual));
}

/** A program of the user's; it parts when the test has finished. */
function programOf({ gateway }: Scene): OpenAIRealtimeWebSocket {
  const url = `wss://localhost:${gateway.port}/v1/realtime?model=gpt-realtime`;
  const transport = new OpenAIRealtimeWebSocket({ url });
  onTestFinished(() => transport.close());
  transport.on('error', () => {});
  return transport;
}

test('a program brings its token in a header', async () => {
  const scene = await startScene();
  trust(scene.ca);
  const program = programOf(scene);
  const updated = new Promise((resolve) => program.once('session.updated', resolve));
  await within(program.connect({ apiKey: scene.voice }), 'a connection', 10_000);
  await within(updated, 'the session');
  expect(scene.service.asked).toEqual([expect.stringMatching(`authorization\nBearer ${FIRST}`)]);
  expect(scene.service.asked[0]).not.toMatch(/eyJ/);
});

test('a user has two connections at a time, whoever else has how many', async () => {
  const scene = await startScene();
  trust(scene.ca);
  const other = scene.mint({ scope: 'voice', sub: 'bob' });
  for (const apiKey of [scene.voice, scene.voice, other])
    await within(programOf(scene).connect({ apiKey }), 'a connection', 10_000);
  const third = programOf(scene).connect({ apiKey: scene.voice });
  await expect(within(third, 'a refusal', 10_000)).rejects.toThrow();
  await scene.gateway.logged(({ error }) => error === 'TOO_MANY_CONNECTIONS');
  expect(scene.service.asked).toHaveLength(3);
});
