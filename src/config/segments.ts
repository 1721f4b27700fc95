/** The segments of `match.path`, taken apart. Pure. */

/** A fixed text, one `{name}` for all of a segment, or two with a fixed text between them: `{host}:{port}`. */
export type SegmentPattern =
  | { readonly kind: 'fixed'; readonly text: string }
  | { readonly kind: 'one'; readonly name: string }
  | Pair;

export interface Pair {
  readonly kind: 'pair';
  readonly names: readonly [string, string];
  /** ASCII signs and digits: it is the same in any case. */
  readonly between: string;
}

/** What may stand between two names: no letter, and nothing that ends a segment or is read in more than one way. */
export const BETWEEN = /[!"$&'()+,.0-9:<=>@[\]^_`|~-]+/;
const PAIR = new RegExp(`^\\{(\\w+)\\}(${BETWEEN.source})\\{(\\w+)\\}$`);

/** Reads a segment that the schema has accepted. */
export function readSegment(text: string): SegmentPattern {
  const [, first, between, second] = PAIR.exec(text) ?? [];
  if (first !== undefined && between !== undefined && second !== undefined)
    return { kind: 'pair', names: [first, second], between };
  return text.startsWith('{') ? { kind: 'one', name: text.slice(1, -1) } : { kind: 'fixed', text };
}

/** Whether a text has the one between, and something on both sides of it. */
export function fitsPair({ between }: Pick<Pair, 'between'>, text: string): boolean {
  const at = text.indexOf(between, 1);
  return at > 0 && at + between.length < text.length;
}

/** `%3A`, or one character: what one byte of a segment was sent as. */
const UNIT = /%[0-9a-f]{2}|./gis;

/**
 * What a segment, as sent, has on both sides of the last text that lies between two names: `[::1]:22` is `[::1]` and `22`.
 * Undefined if there is none. The text between may be percent-encoded, what is captured stays as sent.
 */
export function splitPair({ between }: Pick<Pair, 'between'>, segment: string): [string, string] | undefined {
  const units = segment.match(UNIT) ?? [];
  const bytes = units.map(byteOf).join('');
  const at = bytes.lastIndexOf(between, bytes.length - between.length - 1);
  if (at < 1) return undefined;
  return [units.slice(0, at).join(''), units.slice(at + between.length).join('')];
}

function byteOf(unit: string): string {
  return unit.length === 1 ? unit : String.fromCharCode(Number.parseInt(unit.slice(1), 16));
}
