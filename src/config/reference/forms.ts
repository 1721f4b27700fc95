import { alternatives, type JsonSchema, language } from '../json-schema.ts';

/** How a value is written, in a few words. */

/** Such as `duration, or off`, or `text, or a list of them`. A text of a form that has a name is called by it. */
export function formOf(node: JsonSchema): string {
  return namesOf(node).join(', or ');
}

/** A word for texts of a fixed form, and some of them. */
export interface NamedForm {
  readonly name: string;
  readonly examples: readonly string[];
}

/** Those that stand anywhere in the language, each once. */
export function namedForms(): NamedForm[] {
  const found = nodesWithin(language).flatMap(({ form }) => (form === undefined ? [] : splitForm(form)));
  return [...new Map(found.map((one) => [one.name, one])).values()];
}

/** Of `a duration like 30s or 5m, or off`: `duration`, `30s` and `5m`. */
function splitForm(form: string): NamedForm[] {
  const [, name, examples] =
    /^(?:an? )?(.*?),? like (.*?)(?:, or (?:off|0s)|, without .*)?$/.exec(form) ?? [];
  return name === undefined || examples === undefined
    ? []
    : [{ name, examples: examples.split(/,? or |, /) }];
}

function nodesWithin(node: JsonSchema): JsonSchema[] {
  const { properties = {}, additionalProperties, items } = node;
  const named = typeof additionalProperties === 'object' ? [additionalProperties] : [];
  const inner = [
    ...Object.values(properties),
    ...named,
    ...(items ? [items] : []),
    ...(node.anyOf ?? node.oneOf ?? []),
  ];
  return [node, ...inner.flatMap(nodesWithin)];
}

function namesOf(node: JsonSchema): string[] {
  const all = alternatives(node);
  const names = new Set(all.filter(({ items }) => items === undefined).map(nameOf));
  const lists = all.flatMap(({ items }) => (items === undefined ? [] : [namesOf(items)]));
  const isSame = lists.every((list) => list.every((name) => names.has(name)));
  return [...names, ...new Set(lists.map((list) => (isSame ? 'a list of them' : listOf(list))))];
}

function listOf(names: readonly string[]): string {
  const [name = ''] = names;
  const isPlain = names.length === 1 && /^[a-z ]+$/.test(name) && !name.includes(' or ');
  return isPlain ? `list of ${name}s` : `list: ${names.join(', or ')}`;
}

function nameOf(node: JsonSchema): string {
  const { type, form, additionalProperties } = node;
  if (form !== undefined) return shortForm(form);
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${value}\``).join(', ');
  if (typeof additionalProperties === 'object') return `mapping of names to ${formOf(additionalProperties)}`;
  if (type === 'integer') return rangeOf(node);
  if (type === undefined) return 'any value';
  return WORDS[String(type)] ?? String(type).replaceAll(',', ', ');
}

const WORDS: Readonly<Record<string, string>> = {
  object: 'mapping',
  boolean: '`true` or `false`',
  string: 'text',
};

/** Of `a duration like 30s or 5m, or off` what it is called by: `duration, or off`. */
function shortForm(form: string): string {
  return form.replace(/^an? /, '').replace(/,? like .*?(?=, or |, without |$)/, '');
}

function rangeOf({ minimum = -Infinity, maximum = Infinity }: JsonSchema): string {
  if (maximum < Number.MAX_SAFE_INTEGER) return `${minimum} to ${maximum}`;
  return minimum > Number.MIN_SAFE_INTEGER ? `whole number from ${minimum}` : 'whole number';
}
