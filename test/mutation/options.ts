import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export const ROOMS = ['frames', 'admission', 'bridge', 'stream', 'upstream', 'session', 'store'];

export const USAGE = `npm run test:mutation -- [options]

Puts faults into the sources, one at a time and never in this tree, and runs the tests that reach them: a fault that no test
notices is printed. It takes seconds to minutes a fault.

  --rooms a,b       folders of src/ (${ROOMS.join(',')})
  --only FILE:LINE  the faults of one line, or of one file; several with commas
  --sample N        how many faults, chosen by the seed (100)
  --seed S          a number; absent: any
  --near            run the tests nearby only, those of the fault's file and room: what survives them wants a second look
  --jobs N          faults tried at the same time (1)
  --list            print the faults and run nothing
`;

export interface Place {
  readonly file: string;
  /** Absent: all of it. */
  readonly line: number | undefined;
}

export interface Options {
  readonly rooms: readonly string[];
  readonly only: readonly Place[] | undefined;
  readonly sample: number;
  readonly seed: number;
  readonly near: boolean;
  readonly jobs: number;
  readonly list: boolean;
}

/** Reads the command line. Throws an Error that says what is wrong with it. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rooms: { type: 'string', default: ROOMS.join(',') },
      only: { type: 'string' },
      sample: { type: 'string', default: '100' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      near: { type: 'boolean', default: false },
      jobs: { type: 'string', default: '1' },
      list: { type: 'boolean', default: false },
    },
  });
  return {
    rooms: values.rooms.split(','),
    only: values.only?.split(',').map(place),
    sample: natural('sample', values.sample),
    seed: natural('seed', values.seed),
    near: values.near,
    jobs: natural('jobs', values.jobs),
    list: values.list,
  };
}

function place(text: string): Place {
  const [file = '', line] = text.split(':');
  return { file, line: line === undefined ? undefined : natural('only', line) };
}

function natural(name: string, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new Error(`--${name}: ${text} is not a number`);
  return Number(text);
}
