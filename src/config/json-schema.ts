import { z } from 'zod';
import type { Path } from './problem.ts';
import { schema } from './schema.ts';

/** The part of JSON Schema that zod writes for this language. */
interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

const language = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;

/** The schema for editors: the text of `config/schema.json`. */
export function editorSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', override: allowReference });
  return `${JSON.stringify({ $schema, title: 'Configuration of Sallyport', ...rest }, null, 2)}\n`;
}

/** A number or true/false may also come from the environment. */
function allowReference({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type } = jsonSchema;
  if (type !== 'integer' && type !== 'number' && type !== 'boolean') return;
  Object.assign(jsonSchema, { type: [type, 'string'], pattern: '\\$\\{' });
}

/** Keys that may stand in the mapping at `path`. */
export function keysAt(path: Path): string[] {
  return nodesAt(path).flatMap(({ properties }) => Object.keys(properties ?? {}));
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

function alternatives(node: JsonSchema | undefined): JsonSchema[] {
  if (node === undefined) return [];
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(alternatives);
}
