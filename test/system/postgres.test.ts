import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { folder, makeAuthority, makeCertificate, type Pair, writePair } from '../support/certificates.ts';
import { startGateway } from '../support/gateway.ts';
import { connectionString, startPostgres } from '../support/postgres.ts';
import { type Ran, run } from '../support/programs.ts';
import { startForwarder } from '../support/redis.ts';

/** Debian's PostgreSQL, which takes nobody without TLS, and a client that speaks none: the gateway does, and checks whom it speaks with. */

const NAME = 'db.internal';
const IS_SECURE = 'select ssl, version from pg_stat_ssl where pid = pg_backend_pid()';

function psql(port: number, command: string): Promise<Ran> {
  return run(['psql', 'postgresql-client'], ['-XAt', connectionString(port), '-c', command]);
}

test('`tls: postgres` with the authority of its certificate and its name; nobody else is believed', async () => {
  const place = await folder();
  const authority = await makeAuthority('Internal');
  const write = async (name: string, pair: Pair) => (await writePair(place, name, pair)).files;
  await write('authority', authority);
  await write('stranger', await makeAuthority('Internal'));
  const server = await startPostgres(await write('db', await makeCertificate({ dns: [NAME] }, authority)));
  onTestFinished(() => server.close());
  expect((await psql(server.port, 'select 1')).errors).toMatch(/no pg_hba.conf entry .* no encryption/);

  const tls = (ca: string, servername: string) =>
    `tls: { starttls: postgres, ca: ${join(place, `${ca}.crt`)}, servername: ${servername} }`;
  const route = (path: string, keys: string) =>
    `  - { name: ${path}, match: { path: /${path} }, auth: none, upstream: { tcp: "127.0.0.1:${server.port}", ${keys} } }`;
  const gateway = await startGateway(`routes:
${route('right', tls('authority', NAME))}
${route('stranger', tls('stranger', NAME))}
${route('other', tls('authority', 'db2.internal'))}`);
  onTestFinished(() => gateway.close());
  const through = async (path: string, command: string) => {
    const forwarder = await startForwarder(gateway.url(`/${path}`), ['binary']);
    onTestFinished(() => forwarder.close());
    return psql(forwarder.port, command);
  };

  expect(await through('right', IS_SECURE)).toMatchObject({ code: 0, output: 't|TLSv1.3\n' });
  const rows = await through('right', 'select repeat($$x$$, 1000) from generate_series(1, 10000)');
  expect(rows.output).toBe(`${'x'.repeat(1_000)}\n`.repeat(10_000));
  for (const [path, cause] of [
    ['stranger', /name it in upstream\.tls\.ca/],
    ['other', /upstream\.tls\.servername/],
  ] as const) {
    expect((await through(path, 'select 1')).code).toBe(2);
    const line = await gateway.logged(({ msg, route }) => route === path && /refused$/.test(String(msg)));
    expect(line).toMatchObject({
      status: 502,
      error: 'UPSTREAM_REFUSED',
      cause: expect.stringMatching(cause),
    });
  }
});
