import { describe, expect, test } from 'vitest';
import { judge, yardstickOf } from '../../../bench/report/judge.ts';
import type { Target } from '../../../bench/types.ts';
import { caseOf } from '../../support/bench.ts';

const peers = {
  nginx: { cpuUs: 10, rate: 100 },
  HAProxy: undefined,
  Sallyport: { cpuUs: 13, rate: 400, mib: 3 },
};
const echo = caseOf({ peers });
const many = caseOf({ peers: { nginx: { cpuUs: 20 }, Sallyport: { cpuUs: 26 } }, rest: { name: 'many' } });

describe('judge', () => {
  test.each<[string, Target, object]>([
    [
      'at most',
      { metric: 'cpuUs', against: 'nginx', atMost: 1.3 },
      { value: 1.3, reached: true, proud: false },
    ],
    ['beyond', { metric: 'cpuUs', against: 'nginx', atMost: 1.2 }, { value: 1.3, reached: false }],
    ['proud', { metric: 'cpuUs', against: 'nginx', atMost: 2, proud: 1.5 }, { reached: true, proud: true }],
    [
      'not proud',
      { metric: 'cpuUs', against: 'nginx', atMost: 2, proud: 1.1 },
      { reached: true, proud: false },
    ],
    ['at least', { metric: 'rate', against: 'nginx', atLeast: 3, proud: 4 }, { reached: true, proud: true }],
    [
      'too little',
      { metric: 'rate', against: 'nginx', atLeast: 5, proud: 9 },
      { reached: false, proud: false },
    ],
    ['a bare value', { metric: 'mib', atMost: 4 }, { value: 3, reached: true }],
    ['itself in another case', { metric: 'cpuUs', inCase: 'many', atMost: 1 }, { value: 0.5, reached: true }],
    [
      'a goal of another peer',
      { of: 'nginx', metric: 'cpuUs', against: 'Sallyport', atMost: 1 },
      { value: 10 / 13 },
    ],
    [
      'another peer in another case',
      { of: 'nginx', metric: 'cpuUs', inCase: 'many', atMost: 1 },
      { value: 0.5 },
    ],
    ['a peer in another', { metric: 'cpuUs', inCase: 'many', against: 'nginx', atMost: 1 }, { value: 0.65 }],
  ])('holds Sallyport against %s', (_name, target, verdict) => {
    expect(judge(target, echo, [echo, many])).toMatchObject({ target, ...verdict });
  });

  test.each<[string, Target]>([
    ['the yardstick is missing', { metric: 'cpuUs', against: 'HAProxy', atMost: 1 }],
    ['the yardstick is nothing', { metric: 'mib', against: 'nginx', atMost: 1 }],
    ['the other case did not run', { metric: 'cpuUs', inCase: 'none', atMost: 1 }],
    ['Sallyport was not measured', { metric: 'p50Us', against: 'nginx', atMost: 1 }],
  ])('says nothing where %s', (_name, target) => {
    expect(judge(target, echo, [echo])).toEqual({ target });
  });
});

describe('yardstickOf', () => {
  const targets: Target[] = [
    { metric: 'rate', inCase: 'many', against: 'Sallyport', atLeast: 1 },
    { metric: 'rate', against: 'Sallyport', atLeast: 1 },
  ];
  const result = caseOf({ peers, targets });

  test('is the peer a target of that metric names', () => {
    expect(yardstickOf(result, 'rate')?.peer).toBe('Sallyport');
  });

  test('is the first peer where none is named', () => {
    expect(yardstickOf(result, 'cpuUs')?.peer).toBe('nginx');
  });
});
