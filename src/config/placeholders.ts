/** The names of the `{placeholders}` in a path or URL, in order. A brace that has no partner counts as one, too. */
export function namesIn(text: string): string[] {
  return [...text.matchAll(/\{([^{}]*)\}?|\}/g)].map((match) => match[1] ?? '}');
}
