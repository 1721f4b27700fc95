import type { RouteConfig } from './schema.ts';

/** What the `match` of a route says about requests nobody has seen yet: sets of hosts and paths, compared as patterns. */

export type Match = RouteConfig['match'];

/** Whether every request that `narrow` matches is matched by `wide` too. */
export function covers(wide: Match, narrow: Match): boolean {
  return coversHost(wide.host, narrow.host) && coversPath(wide.path, narrow.path);
}

/** What both match, as a pattern of its own; undefined if no request fits both. */
export function intersection(one: Match, other: Match): Match | undefined {
  const path = commonPath(one.path, other.path);
  if (path === undefined) return undefined;
  if (coversHost(one.host, other.host)) return { host: other.host, path };
  return coversHost(other.host, one.host) ? { host: one.host, path } : undefined;
}

/** Hosts are nested or have nothing in common. */
function coversHost(wide: string | undefined, narrow: string | undefined): boolean {
  if (wide === undefined || wide === narrow) return true;
  return wide.startsWith('*.') && narrow !== undefined && narrow.replace(/^[^.]+/, '*') === wide;
}

function coversPath(widePath: string, narrowPath: string): boolean {
  const wide = segments(widePath);
  const narrow = segments(narrowPath);
  const fits = wide.fixed.every((segment, index) => coversSegment(segment, narrow.fixed[index]));
  if (wide.isOpen) return fits && (narrow.fixed.length > wide.fixed.length || narrow.isOpen);
  return fits && !narrow.isOpen && narrow.fixed.length === wide.fixed.length;
}

function commonPath(one: string, other: string): string | undefined {
  const [short, long] = [segments(one), segments(other)].sort((a, b) => a.fixed.length - b.fixed.length) as [
    Segments,
    Segments,
  ];
  if (short.fixed.length === long.fixed.length ? short.isOpen !== long.isOpen : !short.isOpen)
    return undefined;
  const common = long.fixed.map((segment, index) => commonSegment(segment, short.fixed[index] ?? segment));
  if (common.includes(undefined)) return undefined;
  return `${common.map((segment) => `/${segment}`).join('')}${long.isOpen ? '/*' : ''}`;
}

interface Segments {
  readonly fixed: readonly string[];
  /** Anything may follow. */
  readonly isOpen: boolean;
}

/** `/rooms/{room}/*` as its fixed segments and whether anything may follow them. */
function segments(path: string): Segments {
  const isOpen = path.endsWith('/*');
  return { fixed: (isOpen ? path.slice(0, -2) : path).split('/').slice(1), isOpen };
}

function coversSegment(wide: string, narrow: string | undefined): boolean {
  if (narrow === undefined) return false;
  return wide.startsWith('{') ? narrow !== '' : wide === narrow;
}

function commonSegment(one: string, other: string): string | undefined {
  if (coversSegment(one, other)) return other;
  return coversSegment(other, one) ? one : undefined;
}
