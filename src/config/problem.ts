/** Keys and indices from the root of the configuration to one place in it. */
export type Path = readonly PropertyKey[];

/** Something to say about a place in the configuration, before that place has a line number. */
export interface Finding {
  readonly path: Path;
  /** What is wrong. */
  readonly message: string;
  /** What would be right. */
  readonly hint?: string | undefined;
  /** The key itself is meant, not what it holds. */
  readonly atKey?: boolean;
}

/** A finding at its line (from 1) and column (from 1), 0 where there is no text; `path` reads like `routes[1].limits.upgrades.rate`. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What is accepted, but dangerous or without use. */
export type Warning = Problem;

/** The configuration cannot be used. Carries every problem found; `message` lists them, one a line. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[], options?: ErrorOptions) {
    const title = `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`;
    super([title, ...problems.map((problem) => `  ${formatProblem(file, problem)}`)].join('\n'), options);
    this.name = 'ConfigError';
    this.file = file;
    this.problems = problems;
  }
}

/** `file:line:column path: message; hint` on one line, the form editors and terminals make a link of. */
export function formatProblem(file: string, { line, column, path, message, hint }: Problem): string {
  const subject = path === '' ? '' : `${path}: `;
  const place = line === 0 ? file : `${file}:${line}:${column}`;
  return `${place} ${subject}${message}${hint === undefined ? '' : `; ${hint}`}`;
}

/** `['routes', 1, 'match']` as `routes[1].match`. */
export function formatPath(path: Path): string {
  return path.map(formatStep).join('').replace(/^\./, '');
}

function formatStep(step: PropertyKey): string {
  if (typeof step === 'number') return `[${step}]`;
  const name = String(step);
  return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
