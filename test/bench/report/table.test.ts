import { describe, expect, test } from 'vitest';
import { toTable } from '../../../bench/report/table.ts';
import { caseOf, reportOf } from '../../support/bench.ts';

const nginx = { cpuUs: 10.6, rate: 91_509 };
const sallyport = { cpuUs: 14.1, rate: 68_794 };

function linesOf(table: string, start: string): string[] {
  return table.split('\n').filter((line) => line.trimStart().startsWith(start));
}

describe('toTable', () => {
  test('shows each peer with its figures, and how its first compares', () => {
    const table = toTable(reportOf([caseOf({ peers: { nginx, Sallyport: sallyport } })]));
    expect(linesOf(table, 'echo')[0]?.split(/ {2,}/)).toEqual([
      '',
      'echo',
      'CPU µs/message',
      'messages/s',
      'CPU × nginx',
    ]);
    expect(linesOf(table, 'Sallyport')[0]?.split(/ {2,}/)).toEqual([
      '',
      'Sallyport',
      '14.1',
      '68,794',
      '1.33',
    ]);
  });

  test('ends all lines of a case in one column', () => {
    const table = toTable(reportOf([caseOf({ peers: { nginx, Sallyport: sallyport } })]));
    const lengths = ['echo', 'nginx', 'Sallyport'].map((start) => linesOf(table, start).at(-1)?.length);
    expect(new Set(lengths).size).toBe(1);
  });

  test.each([
    [1.45, undefined, '✓ CPU ≤ 1.45 × nginx: 1.33 ×'],
    [1.45, 1.4, '✓ CPU ≤ 1.45 × nginx: 1.33 ×, and ≤ 1.4 × nginx'],
    [1.2, 1.1, '✗ CPU ≤ 1.2 × nginx: 1.33 ×'],
  ])('judges a target of %d, proud of %d', (atMost, proud, words) => {
    const targets = [{ metric: 'cpuUs', against: 'nginx', atMost, proud } as const];
    const table = toTable(reportOf([caseOf({ peers: { nginx, Sallyport: sallyport }, targets })]));
    expect(table.split('\n')).toContain(`  ${words}`);
  });

  test('gives a bare figure its unit, and names another case', () => {
    const targets = [
      { metric: 'mib', atMost: 4 },
      { metric: 'cpuUs', inCase: 'active-64', atMost: 1.3 },
    ] as const;
    const table = toTable(reportOf([caseOf({ peers: { Sallyport: { mib: 3.5 } }, targets: [...targets] })]));
    expect(table).toContain('✓ growth ≤ 4 MiB: 3.50 MiB');
    expect(table).toContain('– CPU ≤ 1.3 × active-64: not measured');
  });

  test('shows dashes for a missing peer, and the way to install it', () => {
    const missing = [{ peer: 'nginx', install: 'apt-get install nginx-light' }];
    const report = reportOf([caseOf({ peers: { nginx: undefined, Sallyport: sallyport } })], { missing });
    const table = toTable(report);
    expect(linesOf(table, 'nginx')[0]?.split(/ +/)).toEqual(['', 'nginx', '–', '–']);
    expect(table).toContain('nginx is missing: apt-get install nginx-light');
  });

  test('leaves out a column that nobody has a figure for', () => {
    const table = toTable(reportOf([caseOf({ peers: { Sallyport: { cpuUs: 1 } } })]));
    expect(table).not.toContain('messages/s');
  });

  test('puts a heading once over the cases of a group', () => {
    const peers = { Sallyport: sallyport };
    const table = toTable(
      reportOf([caseOf({ peers }), caseOf({ peers }), caseOf({ peers, rest: { group: 'TLS' } })]),
    );
    expect(linesOf(table, '──').map((line) => line.replaceAll('─', '').trim())).toEqual(['WebSocket', 'TLS']);
  });
});
