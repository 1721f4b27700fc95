/** Distinguished names as text (RFC 4514): `CN=device-7,O=Acme`. Pure. */

const ATTRIBUTE = /\s*([a-z][a-z0-9-]*|\d+(?:\.\d+)*)\s*=((?:\\.|[^\\,+])*)(\+|,|$)/isuy;

/** The names of one level, each as `TYPE=value` with nothing escaped, in an order of their own; a certificate seldom has more than one. */
type Level = readonly string[];

/** Takes a name apart, the outermost level first. Undefined if it is none; the empty name is a list without levels. */
export function parseName(text: string): readonly Level[] | undefined {
  const levels: string[][] = text === '' ? [] : [[]];
  let at = 0;
  while (at < text.length) {
    ATTRIBUTE.lastIndex = at;
    const found = ATTRIBUTE.exec(text);
    if (found === null) return undefined;
    const [whole, type = '', value = '', separator] = found;
    levels.at(-1)?.push(`${type.toUpperCase()}=${unescaped(trimmed(value))}`);
    at += whole.length;
    // Something has to follow.
    if (separator !== '' && at === text.length) return undefined;
    if (separator === ',') levels.push([]);
  }
  return levels.map((level) => level.sort());
}

/** Blanks count only where they are escaped (RFC 4514 §2.4). */
function trimmed(value: string): string {
  return value.replace(/^ +/, '').replace(/((?:^|[^\\])(?:\\\\)*(?:\\ )?) +$/, '$1');
}

/** Octets in hexadecimal are UTF-8; before anything else a backslash just takes its meaning. */
function unescaped(value: string): string {
  return value.replace(/((?:\\[0-9a-f]{2})+)|\\(.)/gisu, (_, octets: string | undefined, char = '') =>
    octets === undefined ? char : Buffer.from(octets.replaceAll('\\', ''), 'hex').toString(),
  );
}
