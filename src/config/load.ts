import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkClientCertificates } from './client-certificates.ts';
import { expand } from './expand.ts';
import { explain } from './explain.ts';
import { resolveFiles } from './files.ts';
import { checkLimits } from './limit-rules.ts';
import { checkNames } from './names.ts';
import { ConfigError, type Finding, formatPath, type Problem, type Warning } from './problem.ts';
import { type Config, type ConfigInput, schema } from './schema.ts';
import { readSource, type Source } from './source.ts';
import { checkUnusedKeys } from './unused-keys.ts';
import { findWarnings } from './warnings.ts';
import { checkWorkers } from './workers.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface ParsedConfig {
  /** Complete with defaults, durations in ms, sizes in bytes, paths absolute; frozen to the bottom. */
  readonly config: Config;
  /** In the order of the file. */
  readonly warnings: readonly Warning[];
  /** Finds the line of what else there is to say about a place. */
  readonly locate: (finding: Finding) => Problem;
}

export interface LoadedConfig extends ParsedConfig {
  /** The file it came from, as an absolute path. */
  readonly file: string;
  /** What stood there. */
  readonly text: string;
}

interface ParseOptions {
  /** Name of the text in messages. */
  readonly file?: string;
  /** What relative paths in the text start from; absent: the folder of `file`. */
  readonly baseDir?: string;
  /** Where `${NAME}` is looked up. */
  readonly env?: Env;
}

/** Reads a configuration file. Throws ConfigError with every problem in it, or with why it cannot be read. */
export async function loadConfig(file: string, { env }: { readonly env: Env }): Promise<LoadedConfig> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const message = cause.code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${cause.code}`;
    throw new ConfigError(file, [{ line: 1, column: 1, path: '', message }], { cause });
  });
  return { file: resolve(file), text, ...parseConfig(text, { file, env }) };
}

/**
 * Reads a configuration from text; the files it names are looked at, those of secrets read. Throws ConfigError with
 * every problem at once.
 */
export function parseConfig(text: string, options: ParseOptions = {}): ParsedConfig {
  return parseSource(sourceOf(text, options.file ?? UNNAMED), options);
}

/** The same from plain data, as YAML or JSON would give it: problems then have a path, and no line. */
export function parseTree(tree: ConfigInput, options: ParseOptions = {}): ParsedConfig {
  // A program's secrets stand in no file.
  return parseSource({ value: tree, written: {}, locate: placeless }, options);
}

/** Whether it came from `loadConfig`, `parseConfig` or `parseTree`. */
export function isParsed(config: object): config is Config {
  return PARSED.has(config);
}

/** What a configuration was made from, in its own language. */
interface Origin {
  /** Variables replaced, paths absolute, secrets in the place of their files. */
  readonly tree: unknown;
  /** As it was written. */
  readonly written: unknown;
}

/** What a configuration of `loadConfig`, `parseConfig` or `parseTree` was made from. Throws TypeError for another. */
export function originOf(config: Config): Origin {
  const origin = PARSED.get(config);
  if (origin === undefined) throw new TypeError('this configuration was not loaded');
  return origin;
}

const PARSED = new WeakMap<object, Origin>();
const UNNAMED = 'configuration';

function parseSource(source: Source, options: ParseOptions): ParsedConfig {
  const { file = UNNAMED, env = {}, baseDir = dirname(file) } = options;
  const findings: Finding[] = [];
  const tree = expand(source.value, env, findings);
  resolveFiles(tree, baseDir, findings);
  findings.push(
    ...checkNames(tree),
    ...checkUnusedKeys(tree),
    ...checkClientCertificates(tree),
    ...checkLimits(tree),
    ...checkWorkers(tree),
  );
  const parsed = schema.safeParse(tree);
  findings.push(...explain(parsed.error?.issues ?? [], source.value));
  if (!parsed.success || findings.length > 0)
    throw new ConfigError(file, inOrder(firstEach(findings), source));
  const config = freeze(parsed.data);
  PARSED.set(config, { tree, written: source.value });
  const warnings = inOrder(findWarnings(config, source.written ?? source.value), source);
  return { config, warnings, locate: source.locate };
}

function placeless({ path, message, hint }: Finding): Problem {
  return { line: 0, column: 0, path: formatPath(path), message, hint };
}

function sourceOf(text: string, file: string): Source {
  const source = readSource(text);
  if ('problems' in source) throw new ConfigError(file, source.problems, { cause: source.cause });
  return source;
}

/** One complaint about a place is enough: a variable that is not set is no number either. */
function firstEach(findings: readonly Finding[]): Finding[] {
  const paths = findings.map(({ path }) => formatPath(path));
  return findings.filter((_, index) => paths.indexOf(paths[index] as string) === index);
}

/** Findings at their places, in the order of the file. */
export function inOrder(findings: readonly Finding[], source: Pick<Source, 'locate'>): Problem[] {
  return findings.map(source.locate).sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Freezes plain data to the bottom; instances, such as addresses, are left as they are. */
function freeze<T>(value: T): T {
  if (!Array.isArray(value) && !isPlain(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
