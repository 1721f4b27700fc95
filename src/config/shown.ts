import { alternatives, type JsonSchema, language } from './json-schema.ts';
import { originOf } from './load.ts';
import type { Path } from './problem.ts';
import type { Config } from './schema.ts';
import { isSecretPlace } from './secret-places.ts';
import { isTree, type Tree, valueAt } from './tree.ts';
import { BYTE_RATE, DURATION, RATE, SIZE } from './units.ts';

/** Stands where something may be a secret. */
export const HIDDEN = '***';

/**
 * A configuration as it holds, in its own language: defaults filled in, paths absolute, durations and sizes as texts. No secret is
 * in it: what comes from the environment or a file stands as `${NAME}` or `file:PATH`, and credentials, the values of headers
 * and bodies that services get, and those in queries as `***`. Takes what `loadConfig` and its like have given.
 */
export function shownConfig(config: Config): unknown {
  const { tree, written } = originOf(config);
  return shown(language, tree, written, []);
}

function shown(node: JsonSchema | undefined, tree: unknown, written: unknown, path: Path): unknown {
  const value = tree === undefined ? node?.default : tree;
  if (typeof value === 'string') return text(value, valueAt(written, path), path);
  if (!isTree(value)) return value;
  const one = alternativeFor(node, value);
  if (Array.isArray(value)) return value.map((each, at) => shown(one?.items, each, written, [...path, at]));
  const named = typeof one?.additionalProperties === 'object' ? one.additionalProperties : undefined;
  const names = new Set([...Object.keys(one?.properties ?? {}), ...Object.keys(value)]);
  const isHidden = areSecretNames(tree, written, path);
  const entries = [...names].map((name, at) => {
    const inner = Object.hasOwn(value, name) ? value[name] : undefined;
    return [
      isHidden ? `${HIDDEN}${at + 1}` : name,
      shown(one?.properties?.[name] ?? named, inner, written, [...path, name]),
    ] as const;
  });
  return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
}

/** Names of targets that clients say in the query let in whoever knows them. */
function areSecretNames(tree: unknown, written: unknown, path: Path): boolean {
  const [top, , key, kind] = path;
  if (!isTree(tree) || path.length !== 4 || top !== 'routes' || key !== 'upstream' || kind !== 'targets')
    return false;
  const template = valueAt(written, [...path.slice(0, -1), 'tcp']);
  return /\{query\b/.test(JSON.stringify(template) ?? '');
}

/** Which of the forms that may stand here a list or a mapping has. */
function alternativeFor(node: JsonSchema | undefined, value: Tree): JsonSchema | undefined {
  const all = alternatives(node);
  if (Array.isArray(value)) return all.find(({ items }) => items !== undefined);
  const mappings = all.filter(({ type }) => type === 'object');
  return mappings.find((one) => isMeant(one, value)) ?? mappings[0];
}

function isMeant({ properties = {}, additionalProperties }: JsonSchema, value: Tree): boolean {
  const { profile } = properties;
  if (profile?.const !== undefined && profile.const !== (value.profile ?? 'generic')) return false;
  return (
    typeof additionalProperties === 'object' ||
    Object.keys(value).every((name) => Object.hasOwn(properties, name))
  );
}

function text(value: string, written: unknown, path: Path): unknown {
  const source = typeof written === 'string' ? written : value;
  if (isSecretPlace(path)) return /^(?:file:.*|\$\{\w+\})$/s.test(source) ? source : HIDDEN;
  if (isSaid(path)) return HIDDEN;
  // Whatever text comes from the environment may be a secret, or hold one. No amount is.
  if (source.includes('${') && !isAmount(value)) return withoutCredentials(source);
  return withoutCredentials(value);
}

function isAmount(text: string): boolean {
  return [DURATION, SIZE, RATE, BYTE_RATE].some((form) => form.test(text));
}

/** It is what services are told in the fields and the body of a request. */
function isSaid([top, , key, ...steps]: Path): boolean {
  if (top !== 'routes' || key !== 'upstream' || steps[0] === 'targets') return false;
  return steps.includes('body') || isField(steps.slice(steps.indexOf('headers')));
}

/** `headers.NAME`, `headers.set.NAME` and the like; not the lists beside them, which hold names only. */
function isField([headers, name, ...more]: Path): boolean {
  const isList = more.length > 0 && (name === 'remove' || name === 'pass');
  return headers === 'headers' && typeof name === 'string' && !isList;
}

/** The address of a service: a URL, a unix socket, or a path. */
const ADDRESS = /^(?:[a-z][\w+.-]*:\/\/|unix:|\/)/i;

function withoutCredentials(text: string): string {
  if (!ADDRESS.test(text)) return text;
  const [, path = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const bare = path.replace(/^([^/]*:\/\/)[^/]*@/, `$1${HIDDEN}@`);
  if (query === undefined) return bare;
  return `${bare}?${query.split('&').map(withoutValue).join('&')}`;
}

/** A name stays, and a value that is no more than `{placeholder}`. */
function withoutValue(parameter: string): string {
  const [, name = '', value] = /^(?:([^=]*)=)?(.*)$/s.exec(parameter) ?? [];
  const kept = value === '' || /^\{[^{}]*\}$/.test(value ?? '') ? value : HIDDEN;
  return parameter.includes('=') ? `${name}=${kept}` : `${kept}`;
}
