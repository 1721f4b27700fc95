import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { explain } from './explain.ts';
import { word } from './fields.ts';
import { fileFault, reason } from './files.ts';
import { ConfigError, type Finding, type Path } from './problem.ts';
import { readSource } from './source.ts';
import { suggestion } from './suggest.ts';
import { mapTexts } from './tree.ts';

/** The file of API keys: a list of who they belong to, with the hash of each in the place of the key. */

const HASH = /^sha256:[0-9a-f]{64}$/;
const NAME = /^[^\p{C}]{1,128}$/u;

const isDate = (text: string) =>
  [z.iso.date(), z.iso.datetime({ offset: true })].some((form) => form.safeParse(text).success);

/** In milliseconds since the epoch; a date alone is its beginning in UTC. */
const instant = word('a date like 2027-01-31, or a time like 2027-01-31T18:00:00Z', (text) =>
  isDate(text) ? Date.parse(text) : undefined,
);

const entry = z.strictObject({
  name: word('a name of at most 128 characters', (text) => (NAME.test(text) ? text : undefined)),
  hash: word('sha256: and 64 hexadecimal digits, as `sallyport key` writes it', (text) =>
    HASH.test(text.toLowerCase()) ? text.toLowerCase() : undefined,
  ),
  expires: instant.optional(),
  claims: z
    .record(z.string(), z.unknown())
    .refine((claims) => !Object.hasOwn(claims, 'sub'), {
      path: ['sub'],
      message: 'is the name of the key already; remove it',
    })
    .default({}),
});

const keys = z
  .array(entry, 'expected a list, each key with its name and hash')
  .superRefine((entries, context) => {
    for (const member of ['name', 'hash'] as const) {
      const seen = new Map<string, number>();
      for (const [index, { [member]: value }] of entries.entries()) {
        const first = seen.get(value);
        if (first === undefined) seen.set(value, index);
        else context.addIssue({ code: 'custom', path: [index, member], message: twice(first) });
      }
    }
  });

function twice(first: number): string {
  return `is that of the key at [${first}] too; every key has its own, remove one of them`;
}

/** One API key, and what is known of who has it. */
export type ApiKey = z.output<typeof entry>;

/** Most keys that are read while everybody else waits: a few milliseconds. */
const PART = 50;

interface ReadOptions {
  /** A file without a word has no keys, as one of `[]` has none; else it is taken for one that is not written yet. */
  readonly mayBeBlank?: boolean;
}

/** Reads a file of API keys, of 1 MiB at most. Rejects with ConfigError as `parseApiKeys` does, and where it cannot be read. */
export async function readApiKeys(
  file: string,
  { mayBeBlank = true }: ReadOptions = {},
): Promise<readonly ApiKey[]> {
  const text = await readText(file);
  if (!mayBeBlank && text.trim() === '') throw unreadable(file, 'is empty: to take all keys away, write []');
  return parseInTurns(text, file);
}

/** As `parseApiKeys` does, but thousands of keys part by part, so that nobody waits for all of them. Rejects as that throws. */
export async function parseInTurns(text: string, file: string): Promise<readonly ApiKey[]> {
  const keys: ApiKey[] = [];
  try {
    for (const part of partsOf(text)) {
      keys.push(...parseApiKeys(part, file));
      await nextTurn();
    }
    const isUnique = (['name', 'hash'] as const).every((member) => isSet(keys.map((key) => key[member])));
    if (isUnique) return keys;
  } catch {
    // It is wrong, or of another shape than most: only the whole tells where, and what it means.
  }
  return parseApiKeys(text, file);
}

/** A list whose entries begin at the margin, in shorter lists. */
function partsOf(text: string): string[] {
  const entries = text.split(/^(?=- )/m);
  const count = Math.ceil(entries.length / PART);
  return Array.from({ length: count }, (_, part) => entries.slice(part * PART, (part + 1) * PART).join(''));
}

function isSet(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

async function readText(file: string): Promise<string> {
  try {
    const fault = fileFault(file);
    if (fault === undefined) return await readFile(file, 'utf8');
    throw unreadable(file, fault);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw unreadable(file, `cannot be read: ${reason(cause)}`, cause);
  }
}

function unreadable(file: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError(file, [{ line: 1, column: 1, path: '', message }], { cause });
}

/**
 * Reads the text of a file of API keys; an empty one has none. Throws ConfigError with every problem at its place, none
 * of which shows what may be a key.
 */
export function parseApiKeys(text: string, file: string): readonly ApiKey[] {
  const source = readSource(text);
  if ('problems' in source) throw new ConfigError(file, source.problems, { cause: source.cause });
  const written = text.trim() === '' || isEmpty(source.value) ? [] : source.value;
  const shown = masked(written);
  const parsed = keys.safeParse(written);
  if (shown !== undefined && parsed.success) return parsed.data;
  const found = shown === undefined ? [TOO_DEEP] : findings(parsed.error?.issues ?? [], shown);
  throw new ConfigError(file, found.map(source.locate));
}

/** The line, from 1, at which one of the keys begins in a text that `parseApiKeys` has read. */
export function lineOfKey(text: string, index: number): number {
  const source = readSource(text);
  return 'problems' in source ? 1 : source.locate({ path: [index, 'name'], message: '' }).line;
}

const TOO_DEEP: Finding = { path: [], message: 'is nested too deeply' };

/** A file with nothing but comments in it reads as an empty mapping. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

type Issue = z.core.$ZodIssue;

function findings(issues: readonly Issue[], shown: unknown): Finding[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey(issue.path, key))
      : explain([issue], shown),
  );
}

function unknownKey(path: Path, key: string): Finding {
  const hint = suggestion(key, Object.keys(entry.shape));
  return { path: [...path, key], message: 'unknown key', hint, atKey: true };
}

/** Who has put a key where its hash belongs is not to read it in a log. Undefined beyond 20 levels. */
function masked(written: unknown): unknown {
  try {
    return mapTexts(written, (text, path) => (SHOWN.includes(String(path.at(-1))) ? text : '…'));
  } catch {
    return undefined;
  }
}

const SHOWN: readonly string[] = ['name', 'expires'];
