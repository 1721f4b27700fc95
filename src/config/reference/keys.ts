import { alternatives, type JsonSchema, language } from '../json-schema.ts';
import { formOf } from './forms.ts';
import { inProfiles } from './profiles.ts';

/** Every key of the configuration language, as the schema has them. */

export interface Key {
  /** Names from the top; `*` stands for one that the user chooses. Lists leave no trace. */
  readonly path: readonly string[];
  /** The same for people: `routes[].limits.upgrades.rate`. */
  readonly place: string;
  /** Undefined where the schema says nothing. */
  readonly meaning: string | undefined;
  readonly form: string;
  /** The one value it may have, if there is but one. */
  readonly only: string | boolean | undefined;
  readonly fallback: Fallback;
  /** Those that may stand in its mapping; where it has profiles, those that all of them have. */
  readonly keys: readonly Key[];
  readonly profiles: readonly Profile[];
  /** Which profile it is a key of, if not of every one that its mapping may have. */
  readonly of?: ProfileOf | undefined;
}

/** A profile, and the path of the mapping that has it. */
interface ProfileOf {
  readonly profile: string;
  readonly path: readonly string[];
}

/** A choice by which a mapping has other keys. */
export interface Profile {
  readonly name: string;
  /** Its own, and those that are other than for most. */
  readonly keys: readonly Key[];
}

/** What holds where a key is left out; undefined where nobody has said so. */
export type Fallback =
  | { readonly kind: 'required' }
  | { readonly kind: 'default'; readonly value: unknown }
  | { readonly kind: 'absent'; readonly means: string }
  | undefined;

type Place = Pick<Key, 'path' | 'place'>;

/** The keys at the top of a configuration, or of a language of one's own. */
export function topKeys(schema = language): Key[] {
  return keysIn(schema, { path: [], place: '' });
}

/** The keys, each followed by all below it. */
export function withInner(keys: readonly Key[]): Key[] {
  return keys.flatMap((key) => [
    key,
    ...withInner(key.keys),
    ...key.profiles.flatMap((profile) => withInner(profile.keys)),
  ]);
}

/** A key that stands in several alternatives, such as a mapping and a list of them, is there once. */
function keysIn(node: JsonSchema, at: Place): Key[] {
  const found = alternatives(node).flatMap((one) => keysOfOne(one, at));
  return [...Map.groupBy(found, ({ path }) => path.join('.')).values()].map(asOne);
}

/** What it means is said by the first; it may be what any of them says. */
function asOne(found: readonly Key[]): Key {
  const [first, ...others] = found as readonly [Key, ...Key[]];
  const only = others.every((key) => key.only === first.only) ? first.only : undefined;
  const keys = [
    ...Map.groupBy(
      found.flatMap((key) => key.keys),
      ({ path }) => path.join('.'),
    ).values(),
  ].map(asOne);
  const profiles = found.flatMap((key) => key.profiles);
  return { ...first, form: [...new Set(found.map(({ form }) => form))].join(', or '), only, keys, profiles };
}

function keysOfOne(
  { items, properties, required, additionalProperties }: JsonSchema,
  { path, place }: Place,
) {
  if (items !== undefined) return keysIn(items, { path, place: `${place}[]` });
  if (typeof additionalProperties === 'object')
    return keysIn(additionalProperties, { path: [...path, '*'], place: `${place}.NAME` });
  return Object.entries(properties ?? {}).map(([name, node]) =>
    keyOf(node, required?.includes(name) ?? false, {
      path: [...path, name],
      place: place === '' ? name : `${place}.${name}`,
    }),
  );
}

function keyOf(node: JsonSchema, isRequired: boolean, at: Place): Key {
  const { meaning, absent } = readDescription(node);
  const fallback = fallbackOf(node, isRequired, absent);
  const common = { ...at, meaning, form: formOf(node), only: node.const, fallback };
  const keys = keysIn(node, at);
  const family = familyOf(node, at);
  return { ...common, ...(family.length < 2 ? { keys, profiles: [] } : inProfiles(family, keys, at.path)) };
}

/** The profiles that a mapping has to choose from, each with all its keys. */
function familyOf(node: JsonSchema, at: Place): Profile[] {
  return alternatives(node).flatMap((one) => {
    const name = one.properties?.profile?.const;
    return typeof name === 'string' ? { name, keys: keysIn(one, at) } : [];
  });
}

/** A description ends with `; absent: …` where the key may be left out and has no default. */
function readDescription({ description = '', form }: JsonSchema) {
  if (description === form) return {};
  const [, meaning, absent] = /^(.*?)(?:(?:; |^)absent: (.*))?$/is.exec(description) ?? [];
  return { meaning: meaning || undefined, absent };
}

function fallbackOf(node: JsonSchema, isRequired: boolean, absent: string | undefined): Fallback {
  if (absent !== undefined) return { kind: 'absent', means: absent };
  if (node.default !== undefined) return { kind: 'default', value: node.default };
  return isRequired ? { kind: 'required' } : undefined;
}
