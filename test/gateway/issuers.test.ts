import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { startEcho } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startIdentityProvider } from '../support/identity.ts';
import { handshake, say } from '../support/raw.ts';
import { ISSUER, jwk, keySet, mint, type SigningKey, signingKey } from '../support/tokens.ts';

/** What the keys of issuers, and tokens that are no good, mean for a gateway that runs. */

const KEY = signingKey('ES256');
const SET = keySet(jwk(KEY, { kid: 'one' }));
const exp = Math.floor(Date.now() / 1000) + 3_600;
const token = (key: SigningKey, claims: object = {}, kid = 'one') => mint(key, { exp, ...claims }, { kid });

/** A gateway in front of an echo, with its keys behind `jwks`. */
async function start(jwks: string): Promise<TestGateway> {
  const echo = await startEcho();
  const gateway = await startGateway(`
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [ES256], jwks: "${jwks}" }
routes:
  - name: a
    match: { path: /a }
    auth: { issuer: main }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`);
  onTestFinished(async () => {
    await gateway.close();
    await echo[Symbol.asyncDispose]();
  });
  return gateway;
}

async function open({ port }: TestGateway, bearer: string) {
  const wire = await say(port, handshake('/a', { Authorization: `Bearer ${bearer}` }));
  return wire.answer();
}

async function readiness({ gateway }: TestGateway) {
  const answer = await fetch(`http://127.0.0.1:${gateway.adminAddress?.port}/readyz`);
  return [answer.status, await answer.text()];
}

test('a gateway listens before it has keys, says so, and keeps a good token waiting for them', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const provider = await startIdentityProvider((_, response) => asked.resolve(response));
  onTestFinished(() => provider.close());
  const gateway = await start(provider.url);
  expect(await readiness(gateway)).toEqual([503, expect.stringContaining('no keys yet of main')]);
  const before = await gateway.metrics();
  expect(before).toMatch(/^sallyport_issuer_keys_age_seconds\{issuer="main"\} Nan$/im);
  expect(before).toMatch(/^sallyport_issuer_refresh_failures_total\{issuer="main"\} 0$/m);

  const waiting = open(gateway, token(KEY));
  (await asked.promise).end(SET);
  expect((await waiting).status).toBe(101);
  expect((await readiness(gateway))[0]).toBe(200);
  expect(await gateway.metrics()).toMatch(/^sallyport_issuer_keys_age_seconds\{issuer="main"\} [0-9.e-]+$/m);
});

test('a kid that is not known is named in the log, cut, and the token is not', async () => {
  const provider = await startIdentityProvider(SET);
  onTestFinished(() => provider.close());
  const gateway = await start(provider.url);
  const unknown = token(KEY, {}, 'k'.repeat(128));
  expect((await open(gateway, unknown)).status).toBe(401);
  const { detail } = await gateway.logged(({ msg }) => msg === 'upgrade refused');
  expect(detail).toMatch(
    /^kid "k{48}…" for ES256 is not among the keys fetched \d s ago; next fetch in \d s$/,
  );
  expect(JSON.stringify(gateway.log)).not.toContain(unknown.slice(0, 100));
});

test('bad tokens of an address are soon refused unseen, and those known to be good are let in all the same', async () => {
  const provider = await startIdentityProvider(SET);
  onTestFinished(() => provider.close());
  const gateway = await start(provider.url);
  const known = token(KEY);
  expect((await open(gateway, known)).status).toBe(101);
  const bad = token(signingKey('ES256'));
  const burst = () => Promise.all(Array.from({ length: 100 }, () => open(gateway, bad)));
  const answers = await burst();
  while (!answers.some(({ status }) => status === 429)) answers.push(...(await burst()));
  for (const { status, headers } of answers) {
    expect([401, 429]).toContain(status);
    if (status === 429) expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
  }
  expect((await open(gateway, known)).status).toBe(101);
});
