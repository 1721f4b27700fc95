const LONGEST = 48;

/** A text of somebody else's, fit for a table: no terminal obeys it, and it is no longer than a column. */
export function printable(text: string): string {
  const shown = text.replace(/\p{C}/gu, '?');
  return shown.length > LONGEST ? `${shown.slice(0, LONGEST - 1)}…` : shown;
}
