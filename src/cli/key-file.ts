import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { type ApiKey, lineOfKey, parseApiKeys } from '../config/api-keys.ts';
import { ConfigError } from '../config/problem.ts';
import { CommandError, EXIT } from './context.ts';
import { type Access, keepAccess, newAccess } from './key-access.ts';

/** The file of API keys as `sallyport key` writes it: what stands in it stays as it is, comments too. */

/** Nobody else reads it until it is known who may. */
const PRIVATE = 0o600;

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
 * Appends an entry, as `writeEntry` makes it, to a file of keys. The file is replaced as a whole, by one of the same owner, group
 * and mode, and stays as it is if the result would not be a file of the keys before and the new one: then CommandError says why.
 * Resolves with what there is to say about a file that was not there before.
 */
export async function appendKey(file: string, entry: string): Promise<string | undefined> {
  // A link stays one, wherever it leads.
  const path = await realpath(file).catch(() => file);
  const next = `${path}.new`;
  // Exclusively: two who write at a time would take away each other's keys.
  const handle = await open(next, 'wx', PRIVATE).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(unwritable(path, next, cause), EXIT.failure, { cause });
  });
  try {
    const { text, access } = await current(path);
    await handle.writeFile(appended(file, text, entry));
    const said = await giveAccess(handle, path, access);
    await handle.sync();
    await rename(next, path);
    return said;
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function unwritable(path: string, next: string, { code }: NodeJS.ErrnoException): string {
  if (code === 'EEXIST')
    return `${next} is there already: somebody else writes keys; if nobody does, remove it`;
  if (code === 'ENOENT') return `cannot write ${path}: its folder does not exist; make it first`;
  return `cannot write ${next} (${code})`;
}

async function giveAccess(next: FileHandle, path: string, access?: Access): Promise<string | undefined> {
  if (access === undefined) return newAccess(next, path, await stat(dirname(path)));
  await keepAccess(next, path, access);
  return undefined;
}

/** What stands in it, and who may read it; without `access` it is not there yet. */
async function current(path: string): Promise<{ text: string; access?: Access }> {
  try {
    const access = await stat(path);
    return { text: await readFile(path, 'utf8'), access };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { text: '' };
    throw new CommandError(`cannot read ${path} (${code})`, EXIT.failure, { cause });
  }
}

function appended(file: string, text: string, entry: string): string {
  const before = keysIn(file, text);
  refuseTaken(file, text, before, keysIn(file, entry)[0]);
  if (isFlow(text)) throw notAppendable(file);
  const indent = /^( *)-(?= |$)/m.exec(text)?.[1] ?? '';
  const lines = entry.replace(/^(?=.)/gm, indent);
  const result = `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${lines}`;
  const after = keysIn(file, result);
  // What ends the text might take the entry for something else.
  if (JSON.stringify(after.slice(0, -1)) !== JSON.stringify(before)) throw notAppendable(file);
  return result;
}

/** Told by the line that is there: that of the entry is in no file. */
function refuseTaken(file: string, text: string, before: readonly ApiKey[], key: ApiKey | undefined): void {
  const index = before.findIndex(({ name, hash }) => name === key?.name || hash === key?.hash);
  const taken = before[index];
  if (taken === undefined) return;
  const place = `in ${file} (line ${lineOfKey(text, index)})`;
  const fault =
    taken.name === key?.name
      ? `the name ${key.name} is taken ${place}; choose another, or take that one out`
      : `this key is ${place} already, as that of ${taken.name}; take that one out first`;
  throw new CommandError(`nothing has been written: ${fault}`);
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
