import { isNode, type SyntaxNode } from './syntax.ts';

/** Replaces `[from, to)` of a text. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** One way to break a program: the edits it makes at this node, often none. */
export type Operator = (node: SyntaxNode, text: string) => Edit[];

const SWAPS: Readonly<Record<string, string>> = {
  ...{ '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===', '==': '!=', '!=': '==' },
  ...{ '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '**': '*' },
  ...{ '<<': '>>', '>>': '<<', '>>>': '<<', '&': '|', '|': '&', '^': '&' },
  ...{ '&&': '||', '||': '&&' },
  ...{ '+=': '-=', '-=': '+=', '*=': '/=', '/=': '*=', '<<=': '>>=', '>>=': '<<=' },
  ...{ '&=': '|=', '|=': '&=', '^=': '&=' },
  ...{ '++': '--', '--': '++' },
};

const BRANCHES = [
  'IfStatement',
  'ConditionalExpression',
  'WhileStatement',
  'DoWhileStatement',
  'ForStatement',
];
const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];
const JUMPS = ['ThrowStatement', 'ContinueStatement', 'BreakStatement'];
const EFFECTS = [
  'CallExpression',
  'AwaitExpression',
  'AssignmentExpression',
  'UpdateExpression',
  'ChainExpression',
];

/** All operators by name. To add one is to add a line here. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  'negate a condition': negate,
  'swap an operator': swap,
  'drop a fallback': dropFallback,
  'drop a statement': (node) => (isDroppable(node) ? [{ from: node.start, to: node.end, text: ';' }] : []),
  'drop a branch': dropBranch,
  'return early': returnEarly,
  'change a constant': changeConstant,
  'drop a question mark': dropOptional,
};

function negate({ type, test }: SyntaxNode, text: string): Edit[] {
  if (!BRANCHES.includes(type) || !isNode(test)) return [];
  // Swapping the operator says the same.
  if (/^[!=]==?$/.test(String(test.operator))) return [];
  const { argument } = test;
  if (test.operator === '!' && isNode(argument)) return [replace(test, slice(text, argument))];
  return [replace(test, `!(${slice(text, test)})`)];
}

function swap(node: SyntaxNode, text: string): Edit[] {
  const { type, operator, left, right, argument } = node;
  const other = SWAPS[String(operator)];
  if (other === undefined) return [];
  if (type === 'UpdateExpression' && isNode(argument)) {
    const from = node.prefix === true ? node.start : node.end - other.length;
    return [{ from, to: from + other.length, text: other }];
  }
  if (!isNode(left) || !isNode(right) || isText(node)) return [];
  return [operatorEdit(text, left, right, String(operator), other)].flat();
}

/** A sum that joins texts; their difference would be nonsense and no likely mistake. */
function isText(node: SyntaxNode): boolean {
  if (node.operator !== '+' && node.operator !== '+=') return false;
  return [node.left, node.right].some(
    (side) =>
      isNode(side) && (side.type === 'TemplateLiteral' || typeof side.value === 'string' || isText(side)),
  );
}

function operatorEdit(
  text: string,
  left: SyntaxNode,
  right: SyntaxNode,
  operator: string,
  other: string,
): Edit[] {
  const from = text.indexOf(operator, left.end);
  return from < 0 || from >= right.start ? [] : [{ from, to: from + operator.length, text: other }];
}

/** `a ?? b` without its `b`. */
function dropFallback({ type, operator, left, right, end }: SyntaxNode, text: string): Edit[] {
  if (type !== 'LogicalExpression' || operator !== '??' || !isNode(left) || !isNode(right)) return [];
  return operatorEdit(text, left, right, '??', '').map((edit) => ({ ...edit, to: end }));
}

function isDroppable({ type, expression, argument }: SyntaxNode): boolean {
  if (type === 'ReturnStatement') return argument === null;
  if (JUMPS.includes(type)) return true;
  if (type !== 'ExpressionStatement' || !isNode(expression)) return false;
  const { callee } = expression;
  if (isNode(callee) && callee.type === 'Super') return false;
  return EFFECTS.includes(expression.type) || expression.operator === 'void';
}

/** An `if` without its `else`, or nothing at all in its place. */
function dropBranch(node: SyntaxNode): Edit[] {
  const { type, consequent, alternate } = node;
  if (type !== 'IfStatement' || !isNode(consequent)) return [];
  if (isNode(alternate)) return [{ from: consequent.end, to: alternate.end, text: '' }];
  // Where it holds one statement that can be dropped, dropping that says the same.
  const [only, ...more] =
    consequent.type === 'BlockStatement' ? (consequent.body as SyntaxNode[]) : [consequent];
  if (only === undefined || (more.length === 0 && isDroppable(only))) return [];
  return [replace(node, ';')];
}

function returnEarly({ type, body }: SyntaxNode): Edit[] {
  if (!FUNCTIONS.includes(type) || !isNode(body) || body.type !== 'BlockStatement') return [];
  const [only, ...more] = body.body as SyntaxNode[];
  if (only === undefined || (more.length === 0 && isDroppable(only))) return [];
  return [{ from: body.start + 1, to: body.start + 1, text: ' return;' }];
}

/** A time in milliseconds by its name. */
const DURATION = /(?:Ms|_MS)\s*[:=]\s*$/;
const DAY_MS = 24 * 3_600_000;

function changeConstant(node: SyntaxNode, text: string): Edit[] {
  const { type, value, start } = node;
  if (type !== 'Literal') return [];
  // A millisecond more than seconds or hours is no fault.
  if (
    Number(value) >= 1_000 &&
    Number(value) <= DAY_MS &&
    DURATION.test(text.slice(Math.max(0, start - 40), start))
  )
    return [];
  if (typeof value === 'number') return [replace(node, String(value + 1))];
  return typeof value === 'boolean' ? [replace(node, String(!value))] : [];
}

/** `a?.b` as `a.b`, `a?.(b)` as `a(b)`. */
function dropOptional(node: SyntaxNode, text: string): Edit[] {
  const subject = node.type === 'CallExpression' ? node.callee : node.object;
  if (node.optional !== true || !isNode(subject)) return [];
  const from = text.indexOf('?.', subject.end);
  const isName = node.type === 'MemberExpression' && node.computed !== true;
  return from < 0 || from >= node.end ? [] : [{ from, to: from + 2, text: isName ? '.' : '' }];
}

function replace({ start, end }: SyntaxNode, text: string): Edit {
  return { from: start, to: end, text };
}

function slice(text: string, { start, end }: SyntaxNode): string {
  return text.slice(start, end);
}
