import { type Placeholder, piecesOf } from '../../config/placeholders.ts';
import { GatewayError } from '../../errors.ts';
import { escapeSegment } from '../../http/target.ts';
import { fieldText } from '../../upstream/forward-fields.ts';
import { textOf } from './json.ts';
import { capturedAs, compileReader, jsonIn, type Scope } from './values.ts';

/** Texts with placeholders. Whatever these stand for, none can say more than the place it was given. */

export type Template = (scope: Scope) => string;

type Piece = string | Template;

/** A dot segment, also one that is none before a service, or a proxy in front of it, has taken escapes of slashes for slashes. */
const LEADS_UPWARD = /^[^?]*(?:\/|%2f|%5c)(?:\.|%2e){1,2}(?:[/?]|%2f|%5c|$)/i;

/**
 * Compiles a path such as `/rooms/{room}/events?after={cursor}`. Values are percent-encoded, so that none can add a segment
 * or a parameter; `{query}` alone is put in as it is, being a query already, and of what was captured only what is not
 * escaped yet. A placeholder without a value becomes empty. The template throws BAD_REQUEST where a segment would lead
 * upward (UPSTREAM_INVALID where the service may have named it), or would be missing for want of a parameter of the client;
 * FORBIDDEN for want of a claim.
 */
export function compilePath(template: string): Template {
  let isInQuery = false;
  const isServices = /^[^?]*\{(session|cursor)\}/.test(template);
  const render = joined(
    piecesOf(template).map((piece) => {
      if (typeof piece !== 'string') return pathValue(piece, isInQuery);
      isInQuery ||= piece.includes('?');
      return piece;
    }),
  );
  if (!template.includes('{')) return render;
  return function renderPath(scope) {
    const path = render(scope);
    if (LEADS_UPWARD.test(path))
      throw new GatewayError(isServices ? 'UPSTREAM_INVALID' : 'BAD_REQUEST', {
        detail: 'a value is a dot segment of a path',
      });
    return path;
  };
}

function pathValue(placeholder: Placeholder, isInQuery: boolean): Template {
  const { name, of } = placeholder;
  const read = compileReader(placeholder);
  return function renderValue(scope) {
    const captured = of === undefined ? capturedAs(name, scope) : undefined;
    if (captured !== undefined) return escapeSegment(captured);
    const text = plainText(read(scope));
    if (name === 'query' && of === undefined && isInQuery) return text;
    if (text === '' && of !== undefined && !isInQuery) throw missing(name, of);
    return encodeURIComponent(text.toWellFormed());
  };
}

function missing(name: string, of: string): GatewayError {
  const detail = `a path needs {${name}.${of}}, and there is none`;
  return new GatewayError(name === 'claims' ? 'FORBIDDEN' : 'BAD_REQUEST', { detail });
}

/**
 * Compiles the value of a header field. What does not survive in one is percent-encoded, as in `auth.forward`. Undefined
 * where a placeholder has no value: the field is not sent.
 */
export function compileField(template: string): (scope: Scope) => string | undefined {
  const pieces = piecesOf(template).map((piece) => {
    if (typeof piece === 'string') return () => piece;
    return fieldValue(piece);
  });
  return function renderField(scope) {
    const texts = pieces.map((piece) => piece(scope));
    return texts.includes(undefined) ? undefined : texts.join('');
  };
}

/** Compiles header fields by their names; one that lacks a value is left out. */
export function compileFields(
  templates: Readonly<Record<string, string>>,
): (scope: Scope) => Record<string, string> {
  const fields = Object.entries(templates).map(([name, template]) => [name, compileField(template)] as const);
  return function renderFields(scope) {
    const written = fields.map(([name, render]) => [name, render(scope)] as const);
    return Object.fromEntries(written.filter((field): field is [string, string] => field[1] !== undefined));
  };
}

/** Where the service or a URL said it: as it came, if it can be, for whoever said it compares it. */
const AS_SAID: readonly string[] = ['session', 'cursor', 'query'];

function fieldValue(placeholder: Placeholder): (scope: Scope) => string | undefined {
  const read = compileReader(placeholder);
  const isAsSaid = placeholder.of === undefined && AS_SAID.includes(placeholder.name);
  return function renderValue(scope) {
    const value = read(scope);
    if (isAsSaid && typeof value === 'string' && /^[!-~](?:[ -~]*[!-~])?$/.test(value)) return value;
    return fieldText(value);
  };
}

/** Compiles a text in which values stand as they are. */
export function compileText(template: string): Template {
  return compiled(template, plainText);
}

/** Compiles a body of the type application/x-www-form-urlencoded. */
export function compileForm(template: string): Template {
  return compiled(template, (value) => encodeURIComponent(plainText(value).toWellFormed()));
}

function compiled(template: string, encode: (value: unknown) => string): Template {
  return joined(
    piecesOf(template).map((piece) => {
      if (typeof piece === 'string') return piece;
      const read = compileReader(piece);
      return (scope) => encode(read(scope));
    }),
  );
}

/**
 * Compiles a body that is JSON. Within quotes a value stands as text, escaped; elsewhere as JSON, `null` where there is
 * none. `{message.json}` is the message itself; the template throws UNSUPPORTED_DATA if that is not JSON. `{items}` is JSON, too.
 */
export function compileJson(template: string): Template {
  let isInString = false;
  return joined(
    piecesOf(template).map((piece) => {
      if (typeof piece !== 'string') return jsonValue(piece, isInString);
      for (const [token] of piece.matchAll(/\\.|"/gs)) isInString = isInString !== (token === '"');
      return piece;
    }),
  );
}

function jsonValue(placeholder: Placeholder, isInString: boolean): Template {
  if (placeholder.name === 'message' && placeholder.of === 'json')
    return ({ message }) => (message ? jsonIn(message) : 'null');
  if (placeholder.name === 'items') return ({ items = '' }) => items;
  const read = compileReader(placeholder);
  if (isInString) return (scope) => JSON.stringify(plainText(read(scope))).slice(1, -1);
  return (scope) => JSON.stringify(read(scope)) ?? 'null';
}

function joined(pieces: readonly Piece[]): Template {
  if (pieces.every((piece) => typeof piece === 'string')) {
    const text = pieces.join('');
    return () => text;
  }
  return (scope) => pieces.map((piece) => (typeof piece === 'string' ? piece : piece(scope))).join('');
}

/** A value as text; empty where there is none. */
function plainText(value: unknown): string {
  return value === undefined || value === null ? '' : textOf(value);
}
