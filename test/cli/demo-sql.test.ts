import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Service } from '../../src/cli/demo/service.ts';
import { createEngine } from '../../src/cli/demo/sql/engine.ts';
import { startSql } from '../../src/cli/demo/sql/service.ts';
import { isAllowed, statementsIn, tagOf } from '../../src/cli/demo/sql/statements.ts';
import { answered, pageModule, piecesOf } from '../support/demo-visitor.ts';

/** The demo's database, and the client of it in the demo's page. */

interface Shown {
  table?: { columns: { name: string; isNumber: boolean }[]; rows: (string | null)[][] };
  text?: string;
  fault?: string;
}

interface PageClient {
  startup(user: string, database: string): Uint8Array;
  query(sql: string): Uint8Array;
  metaCommand(line: string): string | undefined;
  resultReader(show: (entry: Shown) => void): (bytes: Uint8Array) => void;
}

const { startup, query, metaCommand, resultReader } = await pageModule<PageClient>('postgres.js');

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';

let sql: Service;
beforeAll(async () => {
  sql = await startSql(createEngine({ deadlineMs: 10_000 }));
});
afterAll(() => sql.close());

/** What the page shows for what is typed there, all of it sent at once; tables as lines. */
function shown(...lines: readonly string[]): Promise<string[]> {
  return shownAt(sql.port, ...lines);
}

async function shownAt(port: number, ...lines: readonly string[]): Promise<string[]> {
  const queries = lines.map((line) => query(metaCommand(line) ?? line));
  return textsIn(await answered(port, Buffer.concat([startup('me', 'demo'), ...queries])));
}

function textsIn(bytes: Buffer): string[] {
  const texts: string[] = [];
  const read = resultReader(({ table, text, fault }) => {
    texts.push(...(table ? linesOf(table) : [text ?? fault ?? '']));
  });
  // In pieces that end anywhere.
  for (const piece of piecesOf(bytes)) read(piece);
  return texts;
}

function linesOf({ columns, rows }: NonNullable<Shown['table']>): string[] {
  const head = columns.map(({ name, isNumber }) => (isNumber ? `${name}#` : name));
  return [head, ...rows].map((cells) => cells.map((cell) => cell ?? 'null').join('|'));
}

describe('a visitor types, and sees', () => {
  test.each<readonly [string, readonly string[], readonly string[]]>([
    [
      'a table',
      ["SELECT name, port FROM services WHERE name IN ('ssh', 'irc') ORDER BY port"],
      ['name|port#', 'ssh|22', 'irc|6667', '(2 rows)'],
    ],
    [
      'values of all kinds',
      ["SELECT 9007199254740993 AS a, 0.5 AS b, NULL AS c, x'01ff' AS d, 'ö' AS a"],
      ['a#|b#|c|d|a', '9007199254740993|0.5|null|\\x01ff|ö', '(1 row)'],
    ],
    ['no rows', ['SELECT name FROM services WHERE port = 0'], ['name', '(0 rows)']],
    [
      'what is changed',
      [
        'CREATE TABLE t (x)',
        'INSERT INTO t VALUES (1), (2)',
        'UPDATE t SET x = 3',
        'DELETE FROM t WHERE x = 4',
        'DROP TABLE t',
      ],
      ['CREATE TABLE', 'INSERT 0 2', 'UPDATE 2', 'DELETE 0', 'DROP TABLE'],
    ],
    [
      'what an insertion returns',
      ["INSERT INTO guests (said) VALUES ('hi') RETURNING name, said"],
      ['name|said', 'ada|hi', '(1 row)'],
    ],
    [
      'several statements',
      ["SELECT 1 AS a; SELECT ';' AS b; -- and no more;"],
      ['a#', '1', '(1 row)', 'b', ';', '(1 row)'],
    ],
    ['nothing for nothing', [';', ' -- x'], []],
    ['the tables', ['\\d'], ['Name|Type', 'guests|BASE TABLE', 'services|BASE TABLE', '(2 rows)']],
    [
      "a table's columns",
      ['\\d guests'],
      ['Column|Type|Default', 'name|text|whoami()', 'said|text|null', '(2 rows)'],
    ],
    [
      'what is wrong',
      ['SELEC', 'SELECT * FROM nowhere', 'SELECT what', "INSERT INTO services (name) VALUES ('ssh')"],
      [
        'ERROR: here are SELECT, INSERT, UPDATE, DELETE, and CREATE, ALTER and DROP of tables, views and indexes (42501)',
        'ERROR: no such table: nowhere (42P01)',
        'ERROR: no such column: what (42703)',
        'ERROR: UNIQUE constraint failed: services.name (23000)',
      ],
    ],
    ['nothing behind a fault', ['SELECT FROM; SELECT 1'], ['ERROR: near "FROM": syntax error (42601)']],
  ])('%s', async (_, lines, replies) => {
    expect(await shown(...lines)).toEqual(replies);
  });
});

describe('nobody', () => {
  test('holds up the others with a query without end', async () => {
    const { port, close } = await startSql(createEngine({ deadlineMs: 700 }));
    onTestFinished(close);
    expect(await shownAt(port, 'SELECT 1 AS a', ENDLESS, 'SELECT count(*) AS a FROM guests')).toEqual([
      ...['a#', '1', '(1 row)'],
      'ERROR: it took too long, or too much memory, and was ended; the database begins anew, with its first tables (57014)',
      ...['a#', '1', '(1 row)'],
    ]);
  });

  test('gets more than so many rows, or bytes', async () => {
    const rows = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 600)';
    expect((await shown(`${rows} SELECT i FROM n`)).slice(-3)).toEqual([
      '500',
      '(500 rows)',
      'only the first 500 rows',
    ]);
    expect((await shown(`${rows} SELECT hex(zeroblob(50000)) FROM n`)).slice(-2)).toEqual([
      '(5 rows)',
      'only the first 5 rows',
    ]);
  });

  test('gets a value that is too big', async () => {
    expect(await shown('SELECT hex(zeroblob(1000000))')).toEqual(['ERROR: string or blob too big (XX000)']);
  });

  test('fills the memory with tables', async () => {
    const much = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 400) INSERT INTO t';
    const [, fault] = await shown(
      'CREATE TABLE t (x)',
      `${much} SELECT zeroblob(100000) FROM n`,
      'DROP TABLE t',
    );
    expect(fault).toBe('ERROR: database or disk is full (XX000)');
  });
});

const [ATTACH, PRAGMA] = ["ATTACH '/etc/passwd' AS x", 'PRAGMA max_page_count = 99999999'];

test.each([
  ['SELECT 1', true],
  ['with n as (select 1) select * from n', true],
  ['VALUES (1)', true],
  ['EXPLAIN SELECT 1', true],
  ['EXPLAIN QUERY PLAN SELECT 1', true],
  ['CREATE UNIQUE INDEX i ON t (x)', true],
  ['CREATE TEMP VIEW v AS SELECT 1', true],
  ['ALTER TABLE t ADD y', true],
  [ATTACH, false],
  [`EXPLAIN ${PRAGMA}`, false],
  [`EXPLAIN QUERY PLAN ${ATTACH}`, false],
  ['EXPLAIN EXPLAIN SELECT 1', false],
  [PRAGMA, false],
  ["VACUUM INTO '/tmp/x'", false],
  ['CREATE VIRTUAL TABLE t USING fts5(x)', false],
  ['CREATE TRIGGER t AFTER INSERT ON t BEGIN SELECT 1; END', false],
  ['BEGIN', false],
  ['COMMIT', false],
  ['SAVEPOINT x', false],
  ['DETACH x', false],
  ['REINDEX', false],
  ['ANALYZE', false],
  ['SELECTED', false],
  ['', false],
])('whether %j may be run: %j', (statement, allowed) => {
  expect(isAllowed(statement)).toBe(allowed);
});

test.each([
  [`SELECT 1; ${ATTACH}`, ['SELECT 1', ATTACH]],
  [`/* SELECT ; */ ${ATTACH}`, [ATTACH]],
  [`-- SELECT\n${ATTACH}`, [ATTACH]],
  [`--\r${ATTACH}\nSELECT 1`, ['SELECT 1']],
  [`/*/ SELECT 1; */ ${ATTACH}`, [ATTACH]],
  [`SELECT/**/1`, ['SELECT 1']],
  ['SELECT \';--\' /* ; */ ; SELECT "a;b", [c;d], `e;f`', ["SELECT ';--'", 'SELECT "a;b", [c;d], `e;f`']],
  ["SELECT 'it''s;'", ["SELECT 'it''s;'"]],
  ['SELECT 4 / 2 - 1', ['SELECT 4 / 2 - 1']],
  [';;', []],
])('the statements of %j', (text, statements) => {
  expect(statementsIn(text)).toEqual(statements);
});

test.each([
  ["load_extension('x')", 'not authorized'],
  ["readfile('/etc/passwd')", 'no such function: readfile'],
  ["writefile('/tmp/x', 'x')", 'no such function: writefile'],
])('there is no %s', async (call, fault) => {
  expect(await shown(`SELECT ${call}`)).toEqual([`ERROR: ${fault} (XX000)`]);
});

test.each([
  ['select 1', 3, 'SELECT 3'],
  ['REPLACE INTO t', 1, 'INSERT 0 1'],
  ['create  table t', 0, 'CREATE TABLE'],
])('%j is told as done', (statement, count, tag) => {
  expect(tagOf(statement, count)).toBe(tag);
});

describe('of the protocol', () => {
  const hello = startup('me', 'demo');
  const messageOf = (type: string, length: number) => {
    const bytes = Buffer.concat([Buffer.from(type), Buffer.alloc(4)]);
    bytes.writeUInt32BE(length, 1);
    return Buffer.concat([hello, bytes]);
  };

  test('TLS is declined, and what follows is in plain', async () => {
    const request = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
    const reply = await answered(sql.port, Buffer.concat([request, hello]));
    expect(String(reply).slice(0, 2)).toBe('NR');
    expect(String(reply.subarray(-6))).toBe('Z\0\0\0\u0005I');
  });

  test('a request to cancel, and a goodbye, end the connection', async () => {
    const cancel = Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await answered(sql.port, Buffer.concat([cancel, hello]))).toHaveLength(0);
    const goodbye = Buffer.concat([messageOf('X', 4), query('SELECT 1')]);
    expect(textsIn(await answered(sql.port, goodbye))).toEqual([]);
  });

  test.each([
    [
      'another version',
      Buffer.from([0, 0, 0, 8, 0, 2, 0, 0]),
      'only version 3.0 of the protocol is spoken here',
    ],
    ['too long a message', messageOf('Q', 16_385), 'a message has 4 to 16384 bytes here, not 16385'],
    ['too short a message', messageOf('Q', 3), 'a message has 4 to 16384 bytes here, not 3'],
    ['a prepared statement', messageOf('P', 4), 'only simple queries are answered here, without parameters'],
  ])('%s is refused', async (_, bytes, fault) => {
    expect(textsIn(await answered(sql.port, bytes))).toEqual([`FATAL: ${fault} (08P01)`]);
  });
});

test('whoever does not say whom the connection is for is reset', async () => {
  const socket = connect(sql.port, '127.0.0.1');
  socket.write(startup('me', 'demo'));
  const [error] = await once(socket, 'error');
  expect(error.code).toBe('ECONNRESET');
});
