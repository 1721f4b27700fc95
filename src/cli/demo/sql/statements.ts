/** Texts and names in quotes, which hold anything, and comments. */
const TOKEN =
  /('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\])|(--[^\n]*|\/\*[\s\S]*?\*\/)|;|[^'"`[;/-]+|[\s\S]/g;

/** The statements of a text, without comments and the semicolons between them. */
export function statementsIn(sql: string): string[] {
  let statement = '';
  const statements: string[] = [];
  for (const [token, , comment] of sql.matchAll(TOKEN)) {
    if (token === ';') {
      statements.push(statement);
      statement = '';
    } else {
      statement += comment === undefined ? token : ' ';
    }
  }
  return [...statements, statement].map((text) => text.trim()).filter(Boolean);
}

const ALLOWED =
  /^(?:SELECT|WITH|VALUES|INSERT|REPLACE|UPDATE|DELETE|ALTER\s+TABLE|(?:CREATE(?:\s+TEMP(?:ORARY)?)?(?:\s+UNIQUE)?|DROP)\s+(?:TABLE|INDEX|VIEW))\b/i;

/**
 * Whether visitors may run a statement: it reads and writes tables. All else is not for them: ATTACH and VACUUM open
 * files, PRAGMA lifts bounds, and a transaction would be everybody's. The engine runs what is first in a text only.
 */
export function isAllowed(statement: string): boolean {
  return ALLOWED.test(statement.replace(/^EXPLAIN\s+(?:QUERY\s+PLAN\s+)?/i, ''));
}

/** What a completed statement is called: `SELECT 3`, `INSERT 0 1`, `CREATE TABLE` (PostgreSQL, "CommandComplete"). */
export function tagOf(statement: string, count: number): string {
  const [first = '', second = ''] = statement.toUpperCase().split(/\s+/);
  if (first === 'UPDATE' || first === 'DELETE') return `${first} ${count}`;
  if (first === 'INSERT' || first === 'REPLACE') return `INSERT 0 ${count}`;
  if (['CREATE', 'DROP', 'ALTER'].includes(first)) return `${first} ${second}`;
  return `SELECT ${count}`;
}
