/**
 * A query without every parameter of that name, however it is escaped; the others stay byte for byte. Undefined if there
 * are none.
 */
export function removeParameter(query: string | undefined, name: string): string | undefined {
  const isOther = (part: string) => !new URLSearchParams(part).has(name);
  const kept = query?.split('&').filter(isOther) ?? [];
  return kept.length === 0 ? undefined : kept.join('&');
}
