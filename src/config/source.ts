import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml';
import { type Finding, formatPath, type Path, type Problem } from './problem.ts';

/** The text of a configuration, read as YAML 1.2, which remembers where everything stood. */
export interface Source {
  /** Plain data as written, no variable replaced yet; an empty file is an empty mapping. */
  readonly value: unknown;
  /** What of it stands in a file for others to read, if not all. */
  readonly written?: unknown;
  /** Gives a finding its line and column: those of the value, or of the key where the value is long or missing. */
  locate(finding: Finding): Problem;
}

const MAX_CHARACTERS = 1024 * 1024;
/** One broken quote makes the reader complain about all that follows. */
const MAX_SYNTAX_PROBLEMS = 3;
/** The brace of `${NAME}` opens a mapping where another one is already open. */
const QUOTE_REFERENCE = `between { and } write "\${NAME}" with quotes`;
const QUOTE_BRACE = 'between { and } a text with braces needs quotes, as in { path: "/rooms/{room}" }';
/** What the reader calls by names of its own. */
const MISREAD: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key is there twice: remove one, or indent it if it belongs to the key above it',
  BLOCK_AS_IMPLICIT_KEY:
    'the keys of a mapping begin in the same column, and a text with a colon and a space needs quotes',
};
/** `b: &b [*a, *a]`, `c: &c [*b, *b]` … doubles with every line. */
const MAX_ALIASES = 100;

/** Reads YAML. What is none comes back as problems; never throws. */
export function readSource(text: string): Source | { problems: readonly Problem[]; cause?: unknown } {
  if (text.length > MAX_CHARACTERS) return { problems: [problemAt(1, 1, 'is longer than 1 MiB')] };
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    resolveKnownTags: false,
    stringKeys: true,
  });
  const problems = syntaxProblems(text, document, lines);
  if (problems.length > 0) return { problems: worthTelling(problems) };
  try {
    return createSource(document, lines);
  } catch (cause) {
    return { problems: [problemAt(1, 1, 'repeats its aliases (*name) too often')], cause };
  }
}

function syntaxProblems(text: string, document: Document.Parsed, lines: LineCounter): Problem[] {
  const faults: Problem[] = [...document.errors, ...document.warnings].map(({ pos, message, code }) => {
    const found = problem(pos[0], `is not readable as YAML: ${message}`);
    return { ...found, hint: found.hint ?? MISREAD[code] };
  });
  visit(document, {
    Alias(_, alias, ancestors) {
      const anchored = alias.resolve(document);
      if (anchored && ancestors.includes(anchored))
        faults.push(problem(alias.range?.[0] ?? 0, `*${alias.source} is a part of what it stands for`));
      if (!anchored)
        faults.push(
          problem(alias.range?.[0] ?? 0, `*${alias.source} has no anchor &${alias.source} before it`),
        );
    },
  });
  return faults;

  function problem(offset: number, message: string): Problem {
    const { line, col } = lines.linePos(offset);
    return { ...problemAt(line, col, message), hint: hintAt(text, offset) };
  }
}

/** What the reader says behind a brace that wanted quotes is of that brace's making. */
function worthTelling(problems: readonly Problem[]): Problem[] {
  const brace = problems.findIndex(({ hint }) => hint !== undefined);
  return problems.slice(0, Math.min(brace === -1 ? Infinity : brace + 1, MAX_SYNTAX_PROBLEMS));
}

/** What helps where a brace amid a text, or at its beginning, was taken for that of a mapping. */
function hintAt(text: string, offset: number): string | undefined {
  if (text.startsWith('${', offset - 1)) return QUOTE_REFERENCE;
  const isAmid = /^[^\s{}[\],]\{\w/.test(text.slice(offset - 1, offset + 2));
  const isAhead = /\{\w+\}$/.test(text.slice(text.lastIndexOf('\n', offset) + 1, offset));
  return isAmid || isAhead ? QUOTE_BRACE : undefined;
}

function problemAt(line: number, column: number, message: string): Problem {
  return { line, column, path: '', message };
}

/** Throws what `toJS` throws at an alias bomb. */
function createSource(document: Document.Parsed, lines: LineCounter): Source {
  return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}, locate };

  function locate({ path, message, hint, atKey }: Finding): Problem {
    const { line, col } = lines.linePos(offsetOf(document, path, atKey === true));
    return { line, column: col, path: formatPath(path), message, hint };
  }
}

/** Where `path` stands in the text; if it does not, where its nearest ancestor does. */
function offsetOf(document: Document.Parsed, path: Path, atKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    const { key, value } = child(resolved(document, node), step);
    if (key === undefined && value === undefined) return offset;
    const wantsKey = key !== undefined && (!isScalar(value) || (atKey && index === path.length - 1));
    offset = startOf(wantsKey ? key : value) ?? offset;
    node = value;
  }
  return offset;
}

function child(parent: unknown, step: PropertyKey): { key?: unknown; value?: unknown } {
  if (isSeq(parent)) return { value: parent.items[Number(step)] };
  if (!isMap(parent)) return {};
  const pair = (parent as YAMLMap).items.find(
    ({ key }) => isScalar(key) && String(key.value) === String(step),
  );
  return { key: pair?.key, value: pair?.value };
}

function resolved(document: Document.Parsed, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
