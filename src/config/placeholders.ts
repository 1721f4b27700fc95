/**
 * The names of the `{placeholders}` in a path or URL, in order; a brace without its partner counts as one, with what
 * follows it.
 */
export function namesIn(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\}|\{[^{}]*|\}/g)].map(([whole, name]) => name ?? whole);
}

/** What is wrong with one of those names. */
export function complaintAbout(name: string): string {
  return /[{}]/.test(name) ? 'a { or } stands alone' : `nothing fills {${name}} here`;
}

/** A placeholder taken apart: `{query.since|0}` is the `since` of `query`, and `0` where there is none. */
export interface Placeholder {
  readonly name: string;
  readonly of: string | undefined;
  readonly fallback: string | undefined;
}

/** Not the brace that opens an object of JSON: a quote or white space follows that one. */
const PLACEHOLDER = /\{([a-z][^{}"]*)\}/i;

/** A template in pieces, in order: texts that stay as they are, and placeholders between them. */
export function piecesOf(template: string): (string | Placeholder)[] {
  return template
    .split(PLACEHOLDER)
    .map((piece, index) => (index % 2 === 0 ? piece : readPlaceholder(piece)))
    .filter((piece) => piece !== '');
}

/** Reads what stands between the braces. A claim's name may hold dots itself. */
export function readPlaceholder(text: string): Placeholder {
  const [, whole = '', fallback] = /^([^|]*)(?:\|(.*))?$/s.exec(text) ?? [];
  const [, name = whole, of] = /^([^.]*)\.(.*)$/s.exec(whole) ?? [];
  return { name, of, fallback };
}
