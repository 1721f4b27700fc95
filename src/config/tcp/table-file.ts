import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { dirname, join } from 'node:path';
import { readServiceAddress, SERVICE_ADDRESS, type ServiceAddress } from '../fields.ts';
import { fileFault, reason } from '../files.ts';
import { ConfigError, type Problem } from '../problem.ts';
import { absoluteUnix } from '../unix.ts';
import { addressFault } from './host.ts';
import { addressSlip } from './slips.ts';

/** Files of targets: `name: host:port` a line, as websockify's token files have it. */

export interface TableFile {
  readonly entries: ReadonlyMap<string, ServiceAddress>;
  /** What was read: changes when any of them does, or when one comes or goes. */
  readonly paths: readonly string[];
}

const MAX_FILES = 1_024;
/** Of a file that is something else every line is one. */
const MAX_PROBLEMS = 20;

/** Reads a file of targets, or every file of a folder. Throws ConfigError with every line that cannot be used. */
export function readTable(source: string): TableFile {
  const files = filesOf(source);
  const entries = new Map<string, ServiceAddress>();
  for (const file of files) {
    const problems = readLines(textOf(file), dirname(file), entries);
    if (problems.length > 0) throw new ConfigError(file, shown(problems));
  }
  return { entries, paths: pathsOf(source, files) };
}

/** What there is to read, be it broken: changes when any of it does, or when a file comes or goes. Throws as `readTable` does. */
export function tablePaths(source: string): readonly string[] {
  return pathsOf(source, filesOf(source));
}

function pathsOf(source: string, files: readonly string[]): readonly string[] {
  return [...new Set([source, ...files])];
}

/** Names with a dot ahead are those of editors, and of Kubernetes where it puts another folder in the place of one. */
function filesOf(source: string): string[] {
  if (!statSync(source, { throwIfNoEntry: false })?.isDirectory()) return [source];
  const names = readdirSync(source).filter((name) => !name.startsWith('.'));
  const files = names.sort().map((name) => join(source, name));
  const plain = files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (plain.length > MAX_FILES) throw fault(source, `holds more than ${MAX_FILES} files`);
  return plain;
}

function textOf(file: string): string {
  try {
    const message = fileFault(file);
    if (message !== undefined) throw fault(file, message);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fault(file, `cannot be read: ${reason(error)}`);
  }
}

function fault(file: string, message: string): ConfigError {
  return new ConfigError(file, [{ line: 0, column: 0, path: '', message }]);
}

function readLines(text: string, folder: string, entries: Map<string, ServiceAddress>): Problem[] {
  return text.split('\n').flatMap((whole, index) => {
    const line = whole.trim();
    if (line === '' || line.startsWith('#')) return [];
    const [key, where] = readLine(line, folder);
    const message = lineFault({ line, key, where }, entries);
    if (message !== undefined || key === undefined || where === undefined)
      return [{ line: index + 1, column: 1, path: '', message: message ?? '' }];
    entries.set(key, where);
    return [];
  });
}

function shown(problems: readonly Problem[]): readonly Problem[] {
  const next = problems[MAX_PROBLEMS];
  if (next === undefined) return problems;
  const message = `and ${problems.length - MAX_PROBLEMS} lines from here on that cannot be used either`;
  return [...problems.slice(0, MAX_PROBLEMS), { ...next, message }];
}

function readLine(line: string, folder: string): [key?: string, where?: ServiceAddress] {
  // In one walk, whatever stands there: a `.` that matched no line separator would have it begin anew at each colon.
  const [, key, text = ''] = /^(.+?):\s+(.+)$/s.exec(line) ?? [];
  return [key, readServiceAddress(absoluteUnix(asWrittenHere(text), folder))];
}

/** websockify's own: `unix_socket:/run/x.sock`, and IPv6 without brackets, whose last colon is that of the port. */
function asWrittenHere(text: string): string {
  if (text.startsWith('unix_socket:')) return text.replace('unix_socket:', 'unix:');
  const [, host = '', port = ''] = /^([^[\]]+):(\d+)$/.exec(text) ?? [];
  return isIPv6(host) ? `[${host}]:${port}` : text;
}

interface Line {
  readonly line: string;
  readonly key: string | undefined;
  readonly where: ServiceAddress | undefined;
}

/** Never repeats the line: a name may be all that a client needs in order to come in. */
function lineFault(
  { line, key, where }: Line,
  entries: ReadonlyMap<string, ServiceAddress>,
): string | undefined {
  if (key === undefined) return 'is not name: host:port, with a blank behind the colon of the name';
  if (where === undefined)
    return `what follows the name is not ${SERVICE_ADDRESS}${hintFor(line.slice(key.length + 1).trim())}`;
  return entries.has(key) ? 'its name stands for another target already' : addressFault(where);
}

function hintFor(text: string): string {
  const hint = /\s#/.test(text) ? 'a comment has a line of its own' : addressSlip(text);
  return hint === undefined ? '' : `; ${hint}`;
}
