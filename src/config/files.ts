import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isUrl } from './fields.ts';
import type { Finding, Path } from './problem.ts';
import { SECRETS, WATCHED_SECRETS } from './secret-places.ts';
import { type Place, places, replaceAt } from './tree.ts';
import { absoluteUnix } from './unix.ts';

/** Places that name a file. A `jwks` may be a URL instead. */
const FILES = [
  'listeners.*.tls.certificates.*.cert',
  'listeners.*.tls.certificates.*.key',
  'listeners.*.tls.clientCa',
  'issuers.*.jwks',
  'issuers.*.publicKey',
  ...['routes.*.upstream', 'routes.*.auth.external', 'store'].flatMap((one) =>
    ['ca', 'cert', 'key'].map((file) => `${one}.tls.${file}`),
  ),
];
/** Places that may name a unix socket: a text, a mapping, or a list of them. It need not be there yet. */
const SOCKETS = ['websocket', 'tcp', 'http', 'poll.target', 'post', 'post.target', 'targets']
  .flatMap((kind) => ['', '.*', '.*.*'].map((rest) => `routes.*.upstream.${kind}${rest}`))
  .concat('routes.*.auth.external.url');
/** Places that may name a file that is read again when it changes: they keep their `file:`. */
const WATCHED = ['routes.*.auth.keys', ...WATCHED_SECRETS, 'routes.*.upstream.targets', 'revocations'];
const SECRET_FILE = 'file:';
const MAX_BYTES = 1024 * 1024;

/**
 * Makes the paths in `tree` absolute, taken from `baseDir`, and puts the content of a secret's `file:PATH` (less one
 * newline at its end) in its place. Files that cannot be read go to `findings`. Changes `tree`.
 */
export function resolveFiles(tree: unknown, baseDir: string, findings: Finding[]): void {
  for (const { path, value } of texts(FILES)) {
    if (isUrl(value)) continue;
    const file = resolve(baseDir, value);
    readText(file, path);
    replaceAt(tree, path, file);
  }
  for (const { path, value } of texts(SOCKETS)) replaceAt(tree, path, absoluteUnix(value, baseDir));
  for (const { path, value } of texts(SECRETS)) {
    const file = fileOf({ path, value }, baseDir, findings);
    const secret = file === undefined ? undefined : readText(file, path);
    if (secret !== undefined) replaceAt(tree, path, secret.replace(/\r?\n$/, ''));
  }
  for (const { path, value } of texts(WATCHED)) {
    const file = fileOf({ path, value }, baseDir, findings);
    if (file === undefined) continue;
    if (!isTable(path) || !isFolder(file)) readText(file, path);
    replaceAt(tree, path, `${SECRET_FILE}${file}`);
  }
  // They need not be there yet.
  for (const { path, value } of texts(['log.file', 'admin.socket']))
    replaceAt(tree, path, resolve(baseDir, value));

  function texts(patterns: readonly string[]): (Place & { value: string })[] {
    const found = patterns.flatMap((pattern) => places(tree, pattern));
    return found.filter((place): place is Place & { value: string } => typeof place.value === 'string');
  }

  function readText(file: string, path: Path): string | undefined {
    try {
      const fault = fileFault(file);
      if (fault === undefined) return readFileSync(file, 'utf8');
      findings.push({ path, message: `${file} ${fault}` });
    } catch (error) {
      const remedy = isKeys(path) ? `: ${keysRemedy(file)}` : '';
      findings.push({ path, message: `cannot read ${file}`, hint: `${reason(error)}${remedy}` });
    }
    return undefined;
  }
}

/** Of `file:PATH`; a PATH alone would be the secret itself, which goes to `findings`. */
function fileOf(
  { path, value }: Place & { value: string },
  baseDir: string,
  findings: Finding[],
): string | undefined {
  if (value.startsWith(SECRET_FILE)) return resolve(baseDir, value.slice(SECRET_FILE.length));
  if (isFile(resolve(baseDir, value)))
    findings.push({ path, message: 'is the name of a file', hint: `did you mean file:${value}?` });
  return undefined;
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // A secret may have any length and any characters.
    return false;
  }
}

/** A table of targets may be a folder of files. */
function isTable(path: Path): boolean {
  return path.at(-1) === 'targets';
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isKeys(path: Path): boolean {
  return path.at(-1) === 'keys';
}

/** How to come by a file of API keys. */
export function keysRemedy(file: string): string {
  return `\`sallyport key NAME --file ${file}\` makes one`;
}

/** Why a file is not to be read, if it is not: a pipe would block, and a device need not end. Throws the system's error. */
export function fileFault(file: string): string | undefined {
  const stats = statSync(file);
  if (!stats.isFile()) return 'is not a file';
  return stats.size > MAX_BYTES ? 'is larger than 1 MiB' : undefined;
}

/** Why a file could not be read, in words. */
export function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'EACCES' ? 'permission denied' : String(code);
}
