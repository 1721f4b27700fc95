import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { stringify } from 'yaml';
import { type ApiKey, parseApiKeys } from '../config/api-keys.ts';
import { ConfigError } from '../config/problem.ts';
import { CommandError, EXIT } from './context.ts';

/** The file of API keys as `sallyport key` writes it: what stands in it stays as it is, comments too. */

const MODE = 0o600;

/** An entry as YAML that begins with `- `. Throws CommandError if it would not be read as a key. */
export function writeEntry(key: object): string {
  const entry = stringify([key], { lineWidth: 0 });
  try {
    parseApiKeys(entry, 'the entry');
    return entry;
  } catch (error) {
    throw new CommandError(problemsOf(error), EXIT.usage, { cause: error });
  }
}

/**
 * Appends an entry, as `writeEntry` makes it, to a file of keys. The file is replaced as a whole, and stays as it is
 * if the result would not be a file of the keys before and the new one: then CommandError says why.
 */
export async function appendKey(file: string, entry: string): Promise<void> {
  // A link stays one, wherever it leads.
  const path = await realpath(file).catch(() => file);
  const next = `${path}.new`;
  // Exclusively: two who write at a time would take away each other's keys.
  const handle = await open(next, 'wx', MODE).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(unwritable(next, cause), EXIT.failure, { cause });
  });
  try {
    const { text, mode } = await current(path);
    await handle.writeFile(appended(file, text, entry));
    await handle.sync();
    await handle.chmod(mode);
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function unwritable(next: string, { code }: NodeJS.ErrnoException): string {
  if (code === 'EEXIST')
    return `${next} is there already: somebody else writes keys; if nobody does, remove it`;
  return `cannot write ${next} (${code})`;
}

async function current(path: string): Promise<{ text: string; mode: number }> {
  try {
    const { mode } = await stat(path);
    return { text: await readFile(path, 'utf8'), mode: mode & 0o777 };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { text: '', mode: MODE };
    throw new CommandError(`cannot read ${path} (${code})`, EXIT.failure, { cause });
  }
}

function appended(file: string, text: string, entry: string): string {
  const before = keysIn(file, text);
  if (isFlow(text)) throw notAppendable(file);
  const indent = /^( *)-(?= |$)/m.exec(text)?.[1] ?? '';
  const lines = entry.replace(/^(?=.)/gm, indent);
  const result = `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${lines}`;
  const after = keysIn(file, result);
  // What ends the text might take the entry for something else.
  if (JSON.stringify(after.slice(0, -1)) !== JSON.stringify(before)) throw notAppendable(file);
  return result;
}

/** Nothing can follow a list between [ and ]. */
function isFlow(text: string): boolean {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.find((line) => line !== '' && !/^(#|---)/.test(line))?.startsWith('[') ?? false;
}

function notAppendable(file: string): CommandError {
  const remedy =
    'write its list as lines that begin with "- name:", or leave out --file and add the entry by hand';
  return new CommandError(`nothing has been written: ${file} cannot be added to as it is; ${remedy}`);
}

function keysIn(file: string, text: string): readonly ApiKey[] {
  try {
    return parseApiKeys(text, file);
  } catch (error) {
    throw new CommandError(`nothing has been written: ${problemsOf(error)}`, EXIT.failure, { cause: error });
  }
}

function problemsOf(error: unknown): string {
  if (!(error instanceof ConfigError)) throw error;
  return error.message;
}
