import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface Options {
  quick: boolean;
  /** Parts of case names; empty: all cases. */
  only: string[];
  /** Peer names, in lower case; empty: all peers. */
  peers: string[];
  rounds: number;
  /** Seconds each repetition measures. */
  seconds: number;
  /** A file for the report. */
  json?: string;
  /** Whether bench/results is written. */
  save: boolean;
  /** Only name the cases. */
  list: boolean;
  help: boolean;
}

export const HELP = `Usage: npm run bench -- [options]

Measures Sallyport and every other proxy it finds on this machine, in front of the same services.

  --quick           a few cases within three minutes, each peer warmed until its figure is steady
  --only a,b        cases with one of these in their names (--list names them)
  --peers a,b       these peers only
  --rounds N        repetitions of each case and peer; medians are shown   (3; quick: 1)
  --seconds N       how long each of them measures, after a warm-up        (2; quick: 1)
  --json FILE       write the report, with every sample, there
  --save            write bench/results; a full run does so by itself
  --list            name the cases, and measure nothing
  --help            this text
`;

/** Reads the command line. Throws an Error in words for its user. */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      save: { type: 'boolean' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { quick, only, peers, rounds, seconds, json } = values;
  const whole = !quick && only === undefined && peers === undefined;
  return {
    quick,
    only: list(only),
    peers: list(peers),
    rounds: Math.ceil(positive('rounds', rounds) ?? (quick ? 1 : 3)),
    seconds: positive('seconds', seconds) ?? (quick ? 1 : 2),
    json,
    save: values.save ?? whole,
    list: values.list,
    help: values.help,
  };
}

function list(text = ''): string[] {
  return text
    .toLowerCase()
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function positive(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && value <= 1000)) throw new Error(`--${name} takes a number above 0, up to 1000: ${text}`);
  return value;
}
