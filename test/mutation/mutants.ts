import { type Edit, OPERATORS } from './operators.ts';
import { parse, runtimeNodes } from './syntax.ts';

/** A program with one fault put in. */
export interface Mutant {
  /** From the root of the project. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly operator: string;
  /** The lines that differ, without the white space around them. */
  readonly before: string;
  readonly after: string;
  /** The whole file with the fault in it. */
  readonly text: string;
}

/** All mutants of a file that still are TypeScript, in the order of their places. Pure. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const found: { operator: string; edit: Edit }[] = [];
  for (const node of runtimeNodes(parse(text))) {
    for (const [operator, edits] of Object.entries(OPERATORS)) {
      for (const edit of edits(node, text)) found.push({ operator, edit });
    }
  }
  return found
    .sort((one, other) => one.edit.from - other.edit.from)
    .map(({ operator, edit }) => mutant(file, text, operator, edit))
    .filter((each) => isTypeScript(each.text));
}

function mutant(file: string, text: string, operator: string, { from, to, text: put }: Edit): Mutant {
  const start = text.lastIndexOf('\n', from - 1) + 1;
  const end = endOfLine(text, to);
  const line = text.slice(0, from).split('\n').length;
  const before = text.slice(start, end).trim();
  const after = (text.slice(start, from) + put + text.slice(to, end)).trim();
  return { file, line, operator, before, after, text: text.slice(0, from) + put + text.slice(to) };
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function isTypeScript(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
