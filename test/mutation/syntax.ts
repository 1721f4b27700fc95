import { parseAst } from 'vitest/node';

/** A node of the syntax tree (ESTree with TypeScript's types); `start` and `end` count UTF-16 units. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Parses TypeScript. Throws an Error if it is none. */
export function parse(text: string): SyntaxNode {
  return parseAst(text, { lang: 'ts' }) as unknown as SyntaxNode;
}

/** Nodes of types that wrap an expression: `x as T`, `x!`, `x satisfies T`. */
const WRAPPERS = new Set(['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression']);

/** Every node that is run, outer ones first: types and imports are left out. */
export function* runtimeNodes(node: SyntaxNode): Generator<SyntaxNode> {
  if (node.type === 'ImportDeclaration') return;
  if (node.type.startsWith('TS') && !WRAPPERS.has(node.type)) return;
  yield node;
  for (const child of Object.values(node).flat()) if (isNode(child)) yield* runtimeNodes(child);
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
}
