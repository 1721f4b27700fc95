import type { CursorEntry } from '../../../config/poll/cursor.ts';
import { GatewayError } from '../../../errors.ts';
import { removeParameter, withoutParameters, withQuery } from '../../../http/query.ts';
import type { HttpRequest } from '../../../upstream/client.ts';
import type { Scope } from '../values.ts';
import type { Evidence } from './evidence.ts';
import { compileInitial } from './initial.ts';
import type { Item } from './items.ts';
import { compilePicked, isSmaller, sum } from './picked.ts';
import { compileResets } from './reset.ts';
import { compileSource, placeName, sendable } from './source.ts';

/** What each entry of `cursor` stands at; undefined where a poll is sent without. */
export type Cursors = readonly (string | undefined)[];

/** An answer, or an event of a stream, in which cursors may stand. */
export interface CursorPlace extends Evidence {
  readonly items: readonly Item[];
}

/** What an answer makes of the cursors. */
export interface Move {
  readonly next: Cursors;
  /** There is at least one in it. */
  readonly isFound: boolean;
  /** It brings nothing, whatever it holds. */
  readonly isStale: boolean;
}

/** The cursors of a route. What is read of an answer throws UPSTREAM_INVALID for what is no cursor. */
export interface CursorRules {
  /** Where an answer holds them, as the configuration says. */
  readonly places: string;
  /** Where a session begins, as its client's query may say. Throws BAD_REQUEST if that could not be sent. */
  initial(scope: Scope): Cursors;
  /** A client's query without the parameters that cursors stand in for. */
  otherQuery(query: string | undefined): string | undefined;
  /** The request with the cursors where the service expects them. */
  put(request: HttpRequest, cursors: Cursors): HttpRequest;
  move(place: CursorPlace, now: Cursors, initial: Cursors): Move;
  /**
   * Where to go on if the answer says that a cursor is not known any more; undefined if it does not. Throws
   * UPSTREAM_LOST where that is the end: because it is to be, or because there is nowhere else to go.
   */
  reset(evidence: Evidence, now: Cursors, initial: Cursors): Cursors | undefined;
}

export function compileCursors(entries: readonly CursorEntry[]): CursorRules {
  const rules = entries.map(compileEntry);
  const taken = rules.flatMap(({ parameters }) => parameters);
  return {
    places: entries.map(({ from }) => placeName(from)).join(' or '),
    initial: (scope) => rules.map((rule) => rule.initial(scope)),
    otherQuery: (query) => withoutParameters(query, (one) => taken.some((name) => one.has(name))),
    put: (request, cursors) => rules.reduce((whole, { put }, index) => put(whole, cursors[index]), request),
    move(place, now, initial) {
      const steps = rules.map(({ step }, index) => step(place, now[index], initial[index]));
      return {
        next: steps.map(({ next }) => next),
        isFound: steps.some(({ isFound }) => isFound),
        isStale: steps.some(({ isStale }) => isStale),
      };
    },
    reset(evidence, now, initial) {
      const found = rules.map(({ reset }, index) => reset(evidence, initial[index]));
      if (found.every((target) => target === undefined)) return undefined;
      const next = found.map((target, index) => (target ? target.cursor : now[index]));
      if (hasMoved(next, now)) return next;
      throw unknownCursor('the cursor is not known to the service, even where it begins');
    },
  };
}

/** Whether one of the cursors is another. */
export function hasMoved(next: Cursors, now: Cursors): boolean {
  return next.some((cursor, index) => cursor !== now[index]);
}

function compileEntry(entry: CursorEntry) {
  const { send, unchanged, decreased, reset = [] } = entry;
  const { parameters, read: initial } = compileInitial(entry.initial);
  const find = compileFind(entry);
  const targetOf = compileResets(reset);

  function step(place: CursorPlace, now: string | undefined, first: string | undefined) {
    const next = find(place);
    if (next === undefined) return { next: now, isFound: false, isStale: false };
    if (decreased === 'reset' && now !== undefined && isSmaller(next, now))
      return { next: first, isFound: true, isStale: true };
    return { next, isFound: true, isStale: unchanged === 'skip' && next === now };
  }

  /** Undefined where the answer is no reason. */
  function resetTo(
    evidence: Evidence,
    first: string | undefined,
  ): { cursor: string | undefined } | undefined {
    const target = targetOf(evidence);
    if (target === undefined) return undefined;
    if (target === 'close') throw unknownCursor('the cursor is not known to the service any more');
    return { cursor: target === 'initial' ? first : target };
  }

  return {
    parameters: send?.to === 'query' ? [send.name, ...parameters] : parameters,
    initial,
    put: (request: HttpRequest, cursor: string | undefined) => withCursor(request, cursor, send),
    step,
    reset: resetTo,
  };
}

/** Compiles where an answer holds the cursor; undefined for one that holds none. */
function compileFind({ from, pick, add }: CursorEntry): (place: CursorPlace) => string | undefined {
  const read = compileRead(from, pick);
  return add === undefined
    ? read
    : function readAndAdd(place) {
        const found = read(place);
        return found === undefined ? undefined : sum(found, add);
      };
}

function compileRead(
  { from, name }: CursorEntry['from'],
  pick: CursorEntry['pick'],
): (place: CursorPlace) => string | undefined {
  if (from === 'event')
    return ({ items }) => sendable(items.findLast(({ id }) => id !== undefined)?.id, 'event:id');
  if (from === 'item') return compilePicked(name, pick);
  const source = compileSource({ from, name });
  return (place) => source(place, place.document);
}

/** Puts a cursor where the service expects it, in place of a parameter of that name. Without a destination the path holds it already. */
function withCursor(
  request: HttpRequest,
  cursor: string | undefined,
  send: CursorEntry['send'],
): HttpRequest {
  if (send === undefined || cursor === undefined) return request;
  if (send.to === 'header')
    return { ...request, headers: { ...request.headers, [send.name.toLowerCase()]: cursor } };
  const [path = '', ...query] = request.path.split('?');
  const rest = query.length === 0 ? undefined : removeParameter(query.join('?'), send.name);
  return {
    ...request,
    path: withQuery(
      rest === undefined ? path : `${path}?${rest}`,
      `${send.name}=${encodeURIComponent(cursor)}`,
    ),
  };
}

function unknownCursor(detail: string): GatewayError {
  return new GatewayError('UPSTREAM_LOST', { detail });
}
