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
