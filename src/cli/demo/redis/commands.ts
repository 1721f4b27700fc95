import { matchesGlob } from './glob.ts';
import { Fault, type Reply, Status } from './resp.ts';

const MAX_KEYS = 1_000;
const MAX_KEY_BYTES = 256;
const MAX_PATTERN_BYTES = 64;
/** Together with the number of keys: no more than 16 MiB. */
const MAX_VALUE_BYTES = 16 * 1024;

/** All that is kept: for everybody, until the demo ends. */
export type Keys = Map<string, string>;

interface Command {
  /** Words behind the command's own, at least and at most. */
  readonly words: readonly [least: number, most: number];
  run(keys: Keys, words: readonly string[], name: string): Reply;
}

const OK = new Status('OK');

const COMMANDS: Readonly<Record<string, Command>> = {
  PING: { words: [0, 1], run: (_, [text]) => text ?? new Status('PONG') },
  ECHO: { words: [1, 1], run: (_, [text = '']) => text },
  SET: { words: [2, 2], run: (keys, [key = '', value = '']) => put(keys, key, value) ?? OK },
  GET: { words: [1, 1], run: (keys, [key = '']) => keys.get(key) ?? null },
  APPEND: { words: [2, 2], run: append },
  STRLEN: { words: [1, 1], run: (keys, [key = '']) => keys.get(key)?.length ?? 0 },
  INCR: { words: [1, 1], run: (keys, [key = '']) => increase(keys, key, '1') },
  DECR: { words: [1, 1], run: (keys, [key = '']) => increase(keys, key, '-1') },
  INCRBY: { words: [2, 2], run: (keys, [key = '', by = '']) => increase(keys, key, by) },
  DEL: { words: [1, 32], run: (keys, words) => words.filter((key) => keys.delete(key)).length },
  EXISTS: { words: [1, 32], run: (keys, words) => words.filter((key) => keys.has(key)).length },
  KEYS: { words: [1, 1], run: matching },
  DBSIZE: { words: [0, 0], run: ({ size }) => size },
  FLUSHALL: { words: [0, 0], run: flush },
  ACL: { words: [1, 1], run: (_, [word = ''], name) => whoAmI(word, name) },
};

/** The reply to one command of somebody with this name. */
export function runCommand(keys: Keys, [command = '', ...words]: readonly string[], name: string): Reply {
  const found = COMMANDS[command.toUpperCase()];
  if (!found)
    return new Fault(`ERR unknown command '${shown(command)}'; here are ${Object.keys(COMMANDS).join(' ')}`);
  const [least, most] = found.words;
  if (words.length < least || words.length > most)
    return new Fault(`ERR wrong number of arguments for '${command.toLowerCase()}' command`);
  return found.run(keys, words, name);
}

/** In a reply of one line. */
function shown(word: string): string {
  return word.slice(0, 32).replace(/[^ -~]/g, '?');
}

/** Undefined if it went well. */
function put(keys: Keys, key: string, value: string): Fault | undefined {
  if (key.length > MAX_KEY_BYTES) return new Fault(`ERR a key has at most ${MAX_KEY_BYTES} bytes here`);
  if (value.length > MAX_VALUE_BYTES)
    return new Fault(`ERR a value has at most ${MAX_VALUE_BYTES} bytes here`);
  if (keys.size >= MAX_KEYS && !keys.has(key)) return new Fault(`OOM there are ${MAX_KEYS} keys: DEL some`);
  keys.set(key, value);
  return undefined;
}

function append(keys: Keys, [key = '', more = '']: readonly string[]): Reply {
  const value = (keys.get(key) ?? '') + more;
  return put(keys, key, value) ?? value.length;
}

function increase(keys: Keys, key: string, by: string): Reply {
  const [value, step] = [keys.get(key) ?? '0', by].map(integerOf);
  const sum = value === undefined || step === undefined ? undefined : integerOf(String(value + step));
  if (sum === undefined) return new Fault('ERR value is not an integer or out of range');
  return put(keys, key, String(sum)) ?? sum;
}

/** Of 64 bits; undefined if it is none. */
function integerOf(text: string): bigint | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value === BigInt.asIntN(64, value) ? value : undefined;
}

function matching(keys: Keys, [pattern = '']: readonly string[]): Reply {
  if (pattern.length > MAX_PATTERN_BYTES)
    return new Fault(`ERR a pattern has at most ${MAX_PATTERN_BYTES} bytes here`);
  return [...keys.keys()].filter((key) => matchesGlob(key, pattern));
}

function flush(keys: Keys): Reply {
  keys.clear();
  return OK;
}

/** The gateway knows whom the token is for, and tells the service. */
function whoAmI(word: string, name: string): Reply {
  return word.toUpperCase() === 'WHOAMI' ? name : new Fault(`ERR unknown subcommand '${shown(word)}'`);
}
