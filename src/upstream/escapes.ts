/** A text that stands in another one may be escaped there: which texts that may be, and what they are compared as. Pure. */

/** A URL in the query of a URL in the query of a third one. */
const MAX_DECODINGS = 3;

/** `%2F` of URLs, `\u002f`, `\x2f` and `\/` of JSON and scripts, `&#x2f;`, `&#47;` and `&amp;` of pages. */
const ESCAPE =
  /%([0-9a-f]{2})|\\(?:u00|x)([0-9a-f]{2})|&#x0*([0-9a-f]{2});|\\(["'\\/])|&#0*([0-9]{1,3});|&(amp|lt|gt|quot|apos);/gi;

/** The beginning of one, at the end of a text. */
const CUT_ESCAPE = /(?:%[0-9a-f]?|\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|&[#0-9a-z]{0,6})$/i;

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The text, and what it says with its escapes undone once, twice and three times, as far as there are any. */
export function readingsOf(text: string): string[] {
  const readings = [text];
  for (let last = text; readings.length <= MAX_DECODINGS; ) {
    const next = last.replace(ESCAPE, unescaped);
    if (next === last) break;
    readings.push(next);
    last = next;
  }
  return readings;
}

function unescaped(_escape: string, ...groups: (string | undefined)[]): string {
  const [url, script, page, plain, decimal, name] = groups;
  const hex = url ?? script ?? page;
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  if (decimal !== undefined) return String.fromCharCode(Number(decimal));
  return plain ?? NAMED[name?.toLowerCase() ?? ''] ?? '';
}

/** A text without the escape that it was cut within. */
export function withoutCutEscape(text: string): string {
  return text.replace(CUT_ESCAPE, '');
}

/**
 * What texts are compared as: names of fields have no capitals and few signs, a space may be a plus, and Base64 has two
 * alphabets.
 */
export function fold(text: string): string {
  return text.toLowerCase().replace(/[^0-9a-z]/g, '-');
}

/** The characters that an ASCII text always has in Base64, behind 0, 1 or 2 bytes of what stands in front of it (modulo 3). */
export function base64sOf(text: string): string[] {
  return [0, 1, 2].map((offset) => {
    const all = Buffer.from(' '.repeat(offset) + text).toString('base64');
    // The first and last ones also have bits of its neighbours.
    return all.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + text.length) * 8) / 6));
  });
}
