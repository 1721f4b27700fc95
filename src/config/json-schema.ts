import { z } from 'zod';
import type { Path } from './problem.ts';
import { schema } from './schema.ts';
import { isTree } from './tree.ts';

/** The part of JSON Schema that zod writes for this language. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  /** What a text of the language looks like: `word` says so. */
  readonly form?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly const?: string | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** The whole configuration language. */
export const language = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

/** The schema for editors: the text of `config/schema.json`. */
export function editorSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: forEditors });
  return `${JSON.stringify({ $schema, title: 'Configuration of Sallyport', ...rest }, null, 2)}\n`;
}

/** A number or true/false may also come from the environment. Forms are for the reference. */
function forEditors({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type, anyOf } = jsonSchema;
  delete jsonSchema.form;
  if (anyOf) jsonSchema.anyOf = anyOf.map(({ form, ...rest }) => rest);
  if (type !== 'integer' && type !== 'number' && type !== 'boolean') return;
  Object.assign(jsonSchema, { type: [type, 'string'], pattern: '\\$\\{' });
}

/** Keys that may stand in the mapping at `path`, each once; of several profiles those of the one that `written` names. */
export function keysAt(path: Path, written?: unknown): string[] {
  const nodes = nodesAt(path).filter((node) => isProfileOf(node, written));
  return [...new Set(nodes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

function isProfileOf({ properties }: JsonSchema, written: unknown): boolean {
  const profile = properties?.profile?.const;
  return profile === undefined || !isTree(written) || (written.profile ?? 'generic') === profile;
}

/** JSON types that may stand at `path`: `string`, `integer`, `object` … */
export function typesAt(path: Path): string[] {
  return nodesAt(path).flatMap(({ type }) => type ?? []);
}

function nodesAt(path: Path): JsonSchema[] {
  return path.reduce<JsonSchema[]>(
    (nodes, step) => nodes.flatMap((node) => alternatives(inside(node, step))),
    alternatives(language),
  );
}

function inside({ properties, additionalProperties, items }: JsonSchema, step: PropertyKey) {
  if (typeof step === 'number') return items;
  const named = typeof additionalProperties === 'object' ? additionalProperties : undefined;
  return properties?.[String(step)] ?? named;
}

/** What `node` may be; itself, where there is no choice. */
export function alternatives(node: JsonSchema | undefined): JsonSchema[] {
  if (node === undefined) return [];
  const choice = node.anyOf ?? node.oneOf;
  return choice === undefined ? [node] : choice.flatMap(alternatives);
}
