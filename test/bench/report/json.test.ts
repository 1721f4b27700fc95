import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toJson, writeJson } from '../../../bench/report/json.ts';
import { caseOf, reportOf } from '../../support/bench.ts';

const report = reportOf([
  caseOf({ peers: { nginx: { cpuUs: 10.5, rate: 91_509 }, Sallyport: { cpuUs: 14 } } }),
]);

test('holds the whole report, also what looks like JSON in a string', () => {
  const tricky = { ...report, notes: ['{ a\n }', '[{}]'] };
  expect(JSON.parse(toJson(tricky))).toEqual(JSON.parse(JSON.stringify(tricky)));
});

test('writes a sample on one line, with five digits', () => {
  const rough = reportOf([caseOf({ peers: { Sallyport: { cpuUs: 14.123456, rate: 1 / 3 } } })]);
  expect(toJson(rough)).toContain('{ "cpuUs": 14.123, "rate": 0.33333 }');
});

test('makes the folder of its file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'report-'));
  try {
    const file = join(folder, 'a', 'b.json');
    await writeJson(file, report);
    expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('cases');
  } finally {
    await rm(folder, { recursive: true });
  }
});
