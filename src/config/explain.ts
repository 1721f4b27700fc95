import type { z } from 'zod';
import { keysAt } from './json-schema.ts';
import { below, misplaced } from './misplaced.ts';
import type { Finding, Path } from './problem.ts';
import { suggest, suggestion } from './suggest.ts';
import { valueAt } from './tree.ts';

type Issue = z.core.$ZodIssue;

/**
 * zod's issues in plain words, one finding each. A schema message that begins with `expected ` is taken as the name
 * of the right form; any other message of the schema is said as it is. `written` is the configuration as it stands
 * in the file, so that no value of the environment is ever shown.
 */
export function explain(issues: readonly Issue[], written: unknown): Finding[] {
  return issues.flatMap((issue) => simplify(issue, written)).flatMap((issue) => findings(issue, written));
}

/** Replaces a union's issue by those of the alternative that was meant: the one whose type fits what was given. */
function simplify(issue: Issue, written: unknown, base: Path = []): Issue[] {
  const path = [...base, ...issue.path];
  if (issue.code !== 'invalid_union') return [{ ...issue, path }];
  const isText = isTextWithoutQuotes(path, written);
  const meant = issue.errors.find((errors) => !isText && !errors.some(isOfOtherType));
  if (meant !== undefined) return meant.flatMap((inner) => simplify(inner, written, path));
  const own = form(issue) === undefined ? issue.errors[0]?.[0] : issue;
  return [{ ...(own ?? issue), path }];
}

/** Where a mapping might stand: its keys tell that it is none. */
function isTextWithoutQuotes(path: Path, written: unknown): boolean {
  const value = valueAt(written, path);
  if (!isBraced(value)) return false;
  const known = keysAt(path, value);
  return Object.keys(value as object).every((key) => !known.includes(key));
}

function isOfOtherType(issue: Issue): boolean {
  const kinds = ['invalid_type', 'invalid_value', 'invalid_union'];
  return issue.path.length === 0 && kinds.includes(issue.code);
}

function findings(issue: Issue, written: unknown): Finding[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, written));
  if (issue.code === 'invalid_key')
    return [{ path, message: `is not ${form(issue.issues[0])}`, atKey: true }];
  const value = valueAt(written, path);
  if (issue.code !== 'custom' && (value === undefined || value === null)) return [absent(issue, value)];
  return [{ path, ...complaint(issue, value) }];
}

function unknownKey(path: Path, key: string, written: unknown): Finding {
  const here = keysAt(path, valueAt(written, path));
  const at = { path: [...path, key], atKey: true };
  // It stands in the language, in another of the alternatives that there are here.
  if (keysAt(path).includes(key)) {
    const choice = here.includes('profile') ? 'this profile' : 'the keys beside it';
    const place = below(path, key, here);
    const hint = place === undefined ? 'remove it' : `${key} stands ${place}`;
    return { ...at, message: `does not go with ${choice}`, hint };
  }
  return { ...at, message: 'unknown key', hint: misplaced(path, key, here) ?? suggestion(key, here) };
}

function absent(issue: Issue, value: undefined | null): Finding {
  const wanted = form(issue);
  return {
    path: issue.path,
    message: value === null ? 'is empty' : 'is missing',
    hint: wanted === undefined ? undefined : `expected ${wanted}${exampleFor(issue.path, wanted)}`,
    atKey: true,
  };
}

/** What no route is without, as it is written. */
const EXAMPLES: Readonly<Record<string, string>> = {
  match: 'match: { path: /app }',
  upstream: 'upstream: { http: "http://127.0.0.1:3000" }',
};

function exampleFor(path: Path, wanted: string): string {
  const name = String(path.at(-1));
  return wanted === FORMS.object && Object.hasOwn(EXAMPLES, name) ? `, as in ${EXAMPLES[name]}` : '';
}

function complaint(issue: Issue, value: unknown): { message: string; hint?: string } {
  const wanted = form(issue);
  const shown = show(value, issue.path);
  if (issue.code === 'invalid_union') return { message: `${shown} does not fit`, hint: `expected ${wanted}` };
  if (wanted !== undefined) return { message: `${shown} is not ${wanted}`, ...remedy(issue, wanted, value) };
  if (issue.code === 'too_big') return { message: `${shown} is more than ${issue.maximum}` };
  if (issue.code !== 'too_small') return { message: issue.message };
  const isNumber = typeof issue.minimum === 'number' && typeof value === 'number';
  return { message: isNumber ? `${shown} is less than ${issue.minimum}` : 'must not be empty' };
}

/** The likely slip: a letter of a fixed word, or quotes, since YAML takes `80` for a number and `"80"` for a text. */
function remedy(issue: Issue, wanted: string, value: unknown): { hint?: string } {
  if (wanted === FORMS.object) return wrapped(issue.path, value);
  if (isBraced(value)) return { hint: 'a text with braces needs quotes' };
  if (wanted === FORMS.string && typeof value !== 'object') return { hint: 'put it in quotes' };
  if (typeof value !== 'string') return {};
  const own = issue.code === 'custom' ? issue.params?.hint : undefined;
  if (typeof own === 'string') return { hint: own };
  const isQuoted = /^(-?\d+(\.\d+)?|true|false)$/.test(value);
  if (wanted === FORMS.number || wanted === FORMS.boolean)
    return isQuoted ? { hint: 'leave out the quotes' } : {};
  const meant = suggest(value, fixedWords(issue));
  return meant === undefined ? {} : { hint: `did you mean ${meant}?` };
}

/** The words that would have been right; a form with words of its own names them in `params.values`. */
function fixedWords(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  const values: unknown = issue.code === 'custom' ? issue.params?.values : undefined;
  return Array.isArray(values) ? values.map(String) : [];
}

/** What people write in place of the mapping that holds it. */
const MAIN_KEYS: Readonly<Record<string, string>> = { match: 'path', upstream: 'http', admin: 'port' };

/** The mapping that a lone text or number was meant to be, or else the keys of it. */
function wrapped(path: Path, value: unknown): { hint?: string } {
  if (typeof value !== 'string' && typeof value !== 'number') return {};
  const name = String(path.at(-1));
  const key = Object.hasOwn(MAIN_KEYS, name) ? MAIN_KEYS[name] : undefined;
  if (key !== undefined) return { hint: `write ${name}: { ${key}: ${show(value, path)} }` };
  const known = keysAt(path);
  return known.length === 0 ? {} : { hint: `known here: ${known.join(', ')}` };
}

/** `{room}` without quotes is a mapping of `room` to nothing. */
function isBraced(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const values = Object.values(value);
  return values.length > 0 && values.every((each) => each === null);
}

const FORMS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping (key: value)',
  record: 'a mapping (key: value)',
};

/** What would have been right, as a noun. */
function form(issue: Issue | undefined): string | undefined {
  if (issue === undefined) return undefined;
  if (issue.message.startsWith('expected ')) return issue.message.slice('expected '.length);
  if (issue.code === 'invalid_value')
    return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
  return issue.code === 'invalid_type' ? FORMS[issue.expected] : undefined;
}

/** The value as it stands in the file; no secret, and no password in a URL. */
function show(value: unknown, path: Path): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (isSecret(path)) return 'this';
  if (typeof value !== 'string') return String(value);
  const text = value.replace(/\/\/[^/@\s]*@/, '//…@');
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function isSecret(path: Path): boolean {
  // Or one of a list of them.
  const isSecretOne = path.slice(-2).includes('secret');
  return isSecretOne || (path.at(-1) === 'value' && path.includes('credentials'));
}
