import { expect, onTestFinished, test } from 'vitest';
import { freshToken } from '../support/fresh.ts';
import { CLOSE, clientFrame, closePayload, openRaw, TEXT } from '../support/rawclient.ts';
import { leaksOf, PLAIN, type Scene, startScene, UPGRADED } from '../support/secrecy.ts';
import { encode } from '../support/tokens.ts';

/** A token goes no further than the gateway: not upstream, not back in an answer, not into a log line of any level. */

const PLACES: Readonly<Record<string, (token: string) => { query?: string; fields?: string[] }>> = {
  header: (token) => ({ fields: [`Authorization: Bearer ${token}`] }),
  cookie: (token) => ({ fields: [`Cookie: a=1; session=${token}; b=2`] }),
  query: (token) => ({ query: `a=1&access_token=${token}&b=2` }),
  'query, escaped': (token) => ({ query: `access%5Ftoken=${token.replaceAll('.', '%2E')}` }),
  'subprotocol, as a pair': (token) => ({ fields: [`Sec-WebSocket-Protocol: chat, bearer, ${token}`] }),
  'subprotocol, alone': (token) => ({ fields: [`Sec-WebSocket-Protocol: authorization.bearer.${token}`] }),
  'subprotocol, of Kubernetes': (token) => ({
    fields: [`Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.${encode(token)}, binary`],
  }),
  'two places': (token) => ({ fields: [`Authorization: Bearer ${token}`], query: `access_token=${token}` }),
};

const TOKENS: Readonly<Record<string, () => string>> = {
  good: () => freshToken(),
  expired: () => freshToken({ exp: 1_500_000_000 }),
  'of another audience': () => freshToken({ aud: 'elsewhere' }),
  'with a broken signature': () =>
    freshToken().replace(/\.[^.]+$/, `.${encode('not the signature of anything')}`),
};

/** Upgrades, says a word if it may, and resolves with everything that came back. */
async function upgrade(port: number, target: string, fields: readonly string[]): Promise<string> {
  const client = await openRaw(port, target, fields).catch((error: Error) => error);
  if (client instanceof Error) return client.message;
  onTestFinished(() => client.destroy());
  await client.say([clientFrame(TEXT, 'a word'), clientFrame(CLOSE, closePayload(1000))]);
  return client.head + (await client.bytes()).toString('latin1');
}

async function get(port: number, target: string, fields: readonly string[]): Promise<string> {
  const headers = fields.map((field) => field.split(/: /, 2) as [string, string]);
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { headers, redirect: 'manual' });
  return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
}

/** Puts the token at each place of a request to each route, from a page at home and from a foreign one. */
async function askEverywhere({ gateway }: Scene, token: string): Promise<string[]> {
  const answers: string[] = [];
  for (const place of Object.values(PLACES)) {
    const { query = '', fields = [] } = place(token);
    for (const origin of ['http://app.test', 'http://evil.test']) {
      const sent = [`Origin: ${origin}`, ...fields];
      for (const route of UPGRADED) answers.push(await upgrade(gateway.port, `/${route}?${query}`, sent));
      for (const route of PLAIN) answers.push(await get(gateway.port, `/${route}?${query}`, sent));
    }
  }
  // What cannot even be parsed is logged too.
  answers.push(await upgrade(gateway.port, `/websocket/../x?access_token=${token}`, []));
  answers.push(await upgrade(gateway.port, `/nowhere?access_token=${token}`, []));
  return answers;
}

test.each(Object.entries(TOKENS))('a token that is %s is found nowhere', async (name, make) => {
  const scene = await startScene();
  const token = make();
  const answers = await askEverywhere(scene, token);
  const opened = scene.gateway.log.filter((line) => line.msg === 'session opened');
  expect(opened.length > 0).toBe(name === 'good');
  const metrics = await scene.gateway.metrics();
  await scene.gateway.close();

  expect(leaksOf(token, JSON.stringify(scene.gateway.log))).toEqual([]);
  expect(leaksOf(token, scene.heard())).toEqual([]);
  expect(leaksOf(token, answers.join('\n'))).toEqual([]);
  expect(leaksOf(token, metrics)).toEqual([]);
  // The search was worth it: there were logs, answers, and traffic that carried the rest of what was sent.
  expect(scene.gateway.log.length).toBeGreaterThan(answers.length);
  expect(answers.some((answer) => answer.startsWith('HTTP/1.1 101 '))).toBe(name === 'good');
  if (name === 'good') {
    expect(scene.heard()).toMatch(/GET \/websocket\?a=1&b=2 .*x-user: alice/is);
    expect(scene.heard()).toMatch(/cookie: a=1; b=2/i);
    expect(scene.heard()).toContain('a word');
  } else expect(scene.heard().trim()).toBe('');
});

test('a route that forwards the token does, and still logs nothing of it', async () => {
  const scene = await startScene(', forwardToken: true');
  const token = freshToken();
  const answers = await askEverywhere(scene, token);
  await scene.gateway.close();
  expect(leaksOf(token, scene.heard())).toEqual(['whole', 'payload', 'signature', 'base64url']);
  expect(leaksOf(token, JSON.stringify(scene.gateway.log))).toEqual([]);
  const heads = answers.filter((answer) => answer.startsWith('HTTP/1.1 '));
  expect(leaksOf(token, heads.join('\n'))).toEqual([]);
});
