import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { DatabaseSync, DatabaseSyncOptions, StatementSync } from 'node:sqlite';
import { FIRST_TABLES } from './first-tables.ts';
import type { Column, Query, Result, Rows } from './result.ts';

/**
 * A program of its own with an SQLite in memory: a query a line on its input, the result a line on its output. Queries
 * block it, which is why it is not the gateway; whoever has started it ends it when one takes too long.
 */

const MAX_ROWS = 500;
const MAX_RESULT_BYTES = 512 * 1024;
const MAX_VALUE_BYTES = 256 * 1024;
const FAULTS: readonly (readonly [text: RegExp, code: string])[] = [
  [/syntax error|incomplete input|unrecognized token/, '42601'],
  [/no such table/, '42P01'],
  [/no such column/, '42703'],
  [/constraint failed/, '23000'],
];

let name = 'somebody';

async function openDatabase(): Promise<DatabaseSync | undefined> {
  const sqlite = await import('node:sqlite').catch(() => undefined);
  if (!sqlite?.StatementSync.prototype.columns) return undefined;
  // What Node does not know yet it passes over.
  const options: DatabaseSyncOptions & { limits: object } = { limits: { length: MAX_VALUE_BYTES } };
  const database = new sqlite.DatabaseSync(':memory:', options);
  database.function('whoami', () => name);
  database.exec(FIRST_TABLES);
  return database;
}

function run(statement: StatementSync): Rows {
  statement.setReturnArrays(true);
  statement.setReadBigInts(true);
  const names = statement.columns().map((column) => column.name);
  if (names.length === 0) {
    const { changes } = statement.run();
    return { columns: [], rows: [], count: Number(changes), isCut: false };
  }
  const rows: unknown[][] = [];
  let [size, isCut] = [0, false];
  for (const row of statement.iterate() as Iterable<unknown>) {
    size += String(row).length;
    isCut = rows.length === MAX_ROWS || size > MAX_RESULT_BYTES;
    if (isCut) break;
    rows.push(row as unknown[]);
  }
  const columns = names.map((column, at) => ({ name: column, type: typeOf(rows.map((row) => row[at])) }));
  return { columns, rows: rows.map((row) => row.map(textOf)), count: rows.length, isCut };
}

/** SQLite's columns have no type, its values have. */
function typeOf(values: readonly unknown[]): Column['type'] {
  const known = values.filter((value) => value !== null);
  if (known.length === 0 || !known.every((value) => typeof value === 'bigint' || typeof value === 'number'))
    return 'text';
  return known.every((value) => typeof value === 'bigint') ? 'integer' : 'real';
}

function textOf(value: unknown): string | null {
  if (value === null) return null;
  // As PostgreSQL writes bytes.
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  return String(value);
}

function answer(database: DatabaseSync | undefined, query: Query): Result {
  if (!database) return { code: '0A000', message: 'the SQL of this demo needs Node 22.16 or newer' };
  name = query.name;
  try {
    return run(database.prepare(query.sql));
  } catch (error) {
    const { message } = error as Error;
    return { code: FAULTS.find(([text]) => text.test(message))?.[1] ?? 'XX000', message };
  }
}

const database = await openDatabase();
const output = createWriteStream('', { fd: 1 });
output.write('ready\n');
for await (const line of createInterface({ input: createReadStream('', { fd: 0 }) }))
  output.write(`${JSON.stringify(answer(database, JSON.parse(line)))}\n`);
