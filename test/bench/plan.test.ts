import { describe, expect, it } from 'vitest';
import { cases } from '../../bench/cases/index.ts';
import { parseOptions } from '../../bench/options.ts';
import { peers } from '../../bench/peers/index.ts';
import { select } from '../../bench/plan.ts';
import type { Case, Peer } from '../../bench/types.ts';

function subject(name: string, ...peers: string[]): Case {
  return { name, group: '', title: '', unit: '', metrics: [], peers, targets: [], run: async () => ({}) };
}

function peer(name: string, install?: string): Peer {
  const start = () => Promise.reject(new Error('not in this test'));
  return { name, missing: () => install, version: () => '1', start };
}

const CASES = [subject('echo-64', 'a', 'B'), subject('echo-64k', 'a'), subject('idle', 'c')];
const PEERS = [peer('a'), peer('B'), peer('c', 'apt-get install c')];

function selected(...args: string[]) {
  const { cases, peers, missing } = select(parseOptions(args), CASES, PEERS);
  return { cases: cases.map(({ name }) => name), peers: peers.map(({ name }) => name), missing };
}

describe('the options', () => {
  it('run everything, and keep the results, unless told otherwise', () => {
    expect(parseOptions([])).toMatchObject({ quick: false, only: [], peers: [], rounds: 3, save: true });
  });

  it.each([['--quick'], ['--only', 'x'], ['--peers', 'x']])('keep no results of a part: %s', (...args) => {
    expect(parseOptions(args).save).toBe(false);
    expect(parseOptions([...args, '--save']).save).toBe(true);
  });

  it.each(['0', '-1', 'many', '1e9'])('refuse %s rounds', (rounds) => {
    expect(() => parseOptions([`--rounds=${rounds}`])).toThrow('--rounds takes a number');
  });

  it('can ask for no more than the names of the cases', () => {
    expect(parseOptions(['--list']).list).toBe(true);
    expect(parseOptions([]).list).toBe(false);
  });

  it('refuse what they do not know', () => {
    expect(() => parseOptions(['--fast'])).toThrow('--fast');
  });
});

describe('a plan', () => {
  it('names what is missing and how to install it', () => {
    expect(selected()).toEqual({
      cases: ['echo-64', 'echo-64k', 'idle'],
      peers: ['a', 'B'],
      missing: [{ peer: 'c', install: 'apt-get install c' }],
    });
  });

  it('takes a whole name for that case alone, and part of one for all that have it', () => {
    expect(selected('--only', 'echo-64').cases).toEqual(['echo-64']);
    expect(selected('--only', 'echo').cases).toEqual(['echo-64', 'echo-64k']);
    expect(selected('--only', 'idle, echo-64k').cases).toEqual(['echo-64k', 'idle']);
  });

  it('leaves peers out that no case needs or nobody asked for', () => {
    expect(selected('--only', 'echo').missing).toEqual([]);
    expect(selected('--only', 'echo', '--peers', 'b').peers).toEqual(['B']);
  });

  it('says what there is when nothing matches', () => {
    expect(() => selected('--only', 'nothing')).toThrow('echo-64k');
    expect(() => selected('--peers', 'nobody')).toThrow('a, B, c');
  });
});

describe('the cases', () => {
  it('have names of their own, and peers and yardsticks that exist', () => {
    const known = new Set(peers.map(({ name }) => name));
    const names = cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, peers, targets } of cases) {
      const others = targets.map(({ against }) => against).filter((other) => other !== undefined);
      expect
        .soft(
          [...peers, ...others].filter((each) => !known.has(each)),
          name,
        )
        .toEqual([]);
      const elsewhere = targets.map(({ inCase }) => inCase).filter((other) => other !== undefined);
      expect
        .soft(
          elsewhere.filter((other) => !names.includes(other)),
          name,
        )
        .toEqual([]);
    }
  });
});
