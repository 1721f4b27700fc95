import type { RouteConfig } from './schema.ts';
import { fitsPair, type Pair, readSegment } from './segments.ts';

/** What the `match` of a route says about requests nobody has seen yet: sets of hosts and paths, compared as patterns. */

export type Match = RouteConfig['match'];

/** A match as it is told to people: host and path. */
export function textOf({ host = '', path }: Match): string {
  return host + path;
}

/** Whether every request that `narrow` matches is matched by `wide` too. */
export function covers(wide: Match, narrow: Match): boolean {
  return coversHost(wide.host, narrow.host) && coversPath(wide, narrow);
}

/**
 * What both match, as a pattern of its own; undefined if no request fits both. Where a part of it is in any case and
 * another is not, it is the smallest pattern around what both match; of two parts such as `{a}:{b}` and `{c}-{d}` it is one of them.
 */
export function intersection(one: Match, other: Match): Match | undefined {
  const common = commonPath(one, other);
  if (common === undefined) return undefined;
  if (coversHost(one.host, other.host)) return { host: other.host, ...common };
  return coversHost(other.host, one.host) ? { host: one.host, ...common } : undefined;
}

/** Hosts are nested or have nothing in common. */
function coversHost(wide: string | undefined, narrow: string | undefined): boolean {
  if (wide === undefined || wide === narrow) return true;
  return wide.startsWith('*.') && narrow !== undefined && narrow.replace(/^[^.]+/, '*') === wide;
}

function coversPath(widePath: Match, narrowPath: Match): boolean {
  const wide = segments(widePath);
  const narrow = segments(narrowPath);
  const fits = wide.fixed.every((segment, index) => coversSegment(segment, narrow.fixed[index]));
  if (wide.isOpen) return fits && (narrow.fixed.length > wide.fixed.length || narrow.isOpen);
  return fits && !narrow.isOpen && narrow.fixed.length === wide.fixed.length;
}

function commonPath(one: Match, other: Match): Pick<Match, 'path' | 'ignoreCase'> | undefined {
  const [short, long] = [segments(one), segments(other)].sort((a, b) => a.fixed.length - b.fixed.length) as [
    Segments,
    Segments,
  ];
  if (short.fixed.length === long.fixed.length ? short.isOpen !== long.isOpen : !short.isOpen)
    return undefined;
  const common = long.fixed.map((segment, index) => commonSegment(segment, short.fixed[index] ?? segment));
  if (!common.every((segment) => segment !== undefined)) return undefined;
  return {
    path: `${common.map(({ text }) => `/${text}`).join('')}${long.isOpen ? '/*' : ''}`,
    ...(common.some(({ anyCase }) => anyCase) && { ignoreCase: true }),
  };
}

interface Segments {
  readonly fixed: readonly Segment[];
  /** Anything may follow. */
  readonly isOpen: boolean;
}

interface Segment {
  /** As written; in lower case where it is in any case. */
  readonly text: string;
  readonly kind: 'fixed' | 'one' | 'pair';
  /** Of a pair. */
  readonly between: string;
  /** A literal with letters that stand for both cases. */
  readonly anyCase: boolean;
}

/** `/rooms/{room}/*` as its fixed segments and whether anything may follow them. */
function segments({ path, ignoreCase }: Match): Segments {
  const isOpen = path.endsWith('/*');
  const texts = (isOpen ? path.slice(0, -2) : path).split('/').slice(1);
  return { fixed: texts.map((text) => segment(text, ignoreCase === true)), isOpen };
}

function segment(text: string, ignoreCase: boolean): Segment {
  const pattern = readSegment(text);
  const { kind } = pattern;
  const between = pattern.kind === 'pair' ? pattern.between : '';
  const anyCase = ignoreCase && kind === 'fixed' && text.toLowerCase() !== text.toUpperCase();
  return { text: anyCase ? text.toLowerCase() : text, kind, between, anyCase };
}

function coversSegment(wide: Segment, narrow: Segment | undefined): boolean {
  if (narrow === undefined) return false;
  if (wide.kind === 'one') return narrow.text !== '';
  if (wide.kind === 'pair') return coversPair(wide, narrow);
  if (narrow.kind !== 'fixed') return false;
  if (wide.anyCase) return wide.text === narrow.text.toLowerCase();
  return !narrow.anyCase && wide.text === narrow.text;
}

/** `{a}:{b}` covers `{c}::{d}`: whatever has two colons amid it has one there. */
function coversPair(wide: Pick<Pair, 'between'>, narrow: Segment): boolean {
  if (narrow.kind === 'pair') return narrow.between.includes(wide.between);
  return narrow.kind === 'fixed' && fitsPair(wide, narrow.text);
}

function commonSegment(one: Segment, other: Segment): Segment | undefined {
  if (coversSegment(one, other)) return other;
  if (coversSegment(other, one)) return one;
  // `x:y-z` fits both, and no pattern says so.
  return one.kind === 'pair' && other.kind === 'pair' ? one : undefined;
}
