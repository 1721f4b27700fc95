/**
 * The search list of resolv.conf(5). c-ares asks for a name as it stands, but `chat` in a Kubernetes namespace is
 * `chat.team.svc.cluster.local`: the suffixes are put on here, as the system's own resolver does. Pure.
 */

export interface SearchRules {
  readonly suffixes: readonly string[];
  /** Names with so many dots are asked for as they stand first. */
  readonly ndots: number;
}

/** glibc reads no more. */
const MAX_SUFFIXES = 6;

/** Reads the text of a resolv.conf; the last `search` or `domain` counts. */
export function parseSearch(text: string): SearchRules {
  let suffixes: string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search' || keyword === 'domain') suffixes = words.slice(0, MAX_SUFFIXES);
    if (keyword !== 'options') continue;
    const option = words.find((word) => /^ndots:\d+$/.test(word));
    if (option !== undefined) ndots = Number(option.slice('ndots:'.length));
  }
  return { suffixes: suffixes.map((suffix) => suffix.replace(/^\.|\.$/g, '')).filter(Boolean), ndots };
}

/** The names to ask for in place of `name`, in order. One that ends in a dot is whole. */
export function namesToAsk(name: string, { suffixes, ndots }: SearchRules): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = suffixes.map((suffix) => `${name}.${suffix}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}
