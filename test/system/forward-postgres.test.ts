import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { folder, makeAuthority, makeCertificate, writePair } from '../support/certificates.ts';
import { forwarded } from '../support/forwarded.ts';
import { connectionString, startPostgres } from '../support/postgres.ts';
import { run } from '../support/programs.ts';
import type { RunningServer } from '../support/servers.ts';

/** psql and pg_dump from Debian, with a password, through `sallyport forward`: TLS, and a token, on the way. */

let server: RunningServer;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.close());

const PLAIN = 'sslmode=disable';

function psql(port: number, script: string, settings = PLAIN) {
  const where = connectionString(port, settings);
  return run(['psql', 'postgresql-client'], ['-AtXq', '-v', 'ON_ERROR_STOP=1', where], script);
}

/** Without what is new in each dump, so that nothing in it passes for a command of psql. */
async function dump(port: number, settings = PLAIN): Promise<string> {
  const ran = await run(['pg_dump', 'postgresql-client'], [connectionString(port, settings)]);
  expect(ran, ran.errors).toMatchObject({ code: 0, errors: '' });
  return ran.output.replace(/^\\(un)?restrict \w+$/gm, '');
}

/** Some four megabytes, as texts and as octets, with keys of both. */
const FILL = `
create table t (id serial primary key, name text, data bytea);
insert into t (name, data) select md5(n::text), decode(repeat(md5((-n)::text), 64), 'hex') from generate_series(1, 2000) n;
create index on t (name);
create view v as select count(*) from t;
`;
const MIB = 2 ** 20;

test('psql asks, and loads and reads a million bytes', async () => {
  const port = await forwarded(server.port);
  expect(await psql(port, "select 6 * 7; select length(repeat('x', 1000000));")).toEqual({
    code: 0,
    output: '42\n1000000\n',
    errors: '',
  });
  const rows = Array.from({ length: 100_000 }, (_, index) => `${index}\n`).join('');
  const load = `create table numbers (n int);\ncopy numbers from stdin;\n${rows}\\.\n`;
  expect(await psql(port, `${load}select sum(n) from numbers;`)).toMatchObject({
    code: 0,
    output: '4999950000\n',
  });
  const { output } = await psql(port, 'copy numbers to stdout; drop table numbers;');
  expect(output).toBe(rows);
});

test('pg_dump takes the same as where it asks the database itself, and psql puts it back', async () => {
  const port = await forwarded(server.port);
  expect(await psql(server.port, FILL)).toMatchObject({ code: 0 });
  const whole = await dump(server.port);
  expect(whole.length).toBeGreaterThan(3 * MIB);
  expect((await dump(port)) === whole).toBe(true);
  expect(await psql(port, 'drop table t cascade')).toMatchObject({ code: 0 });
  expect(await psql(port, whole)).toMatchObject({ code: 0, errors: '' });
  expect((await dump(server.port)) === whole).toBe(true);
});

test('a database that takes nobody without TLS is asked for it by the gateway, or by psql itself', async () => {
  const place = await folder();
  const authority = await makeAuthority('Internal');
  const { files } = await writePair(place, 'authority', authority);
  const own = await writePair(place, 'db', await makeCertificate({ dns: ['db.internal'] }, authority));
  const strict = await startPostgres(own.files);
  onTestFinished(() => strict.close());
  expect((await psql(strict.port, 'select 1')).errors).toContain('no encryption');

  const tls = `, tls: { starttls: postgres, ca: "${files.cert}", servername: db.internal }`;
  const port = await forwarded(strict.port, tls);
  const isSecure = 'select version from pg_stat_ssl where pid = pg_backend_pid();';
  expect(await psql(port, `${FILL}${isSecure}`)).toMatchObject({ code: 0, output: 'TLSv1.3\n', errors: '' });
  const whole = await dump(port);
  expect(whole.length).toBeGreaterThan(3 * MIB);

  // Through a route without `tls` it is between psql and the database, which the gateway cannot read.
  const through = await forwarded(strict.port);
  const verified = `host=db.internal hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=${files.cert}`;
  expect(await psql(through, isSecure, verified)).toMatchObject({ code: 0, output: 'TLSv1.3\n' });
  expect((await dump(through, verified)) === whole).toBe(true);
});
