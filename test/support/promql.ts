/** As much of PromQL as it takes to see which series an expression is about. */

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly Matcher[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Named by `by`, `without`, `on`, `ignoring` and `group_left`. */
  readonly groupedBy: readonly string[];
}

/** One sample of a scrape. */
export interface Series {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[A-Za-z_:$][\w:$]*|[0-9][\w.]*|[=!]~|[=!<>]=|\S/g;
const METRIC = /^(?:sallyport|process|nodejs)_\w+$/;
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

/** Reads an expression. What is none of ours (`up`, functions, numbers) is passed over. */
export function readExpression(text: string): Expression {
  const tokens = text.match(TOKEN) ?? [];
  const selectors: Selector[] = [];
  const groupedBy: string[] = [];
  tokens.forEach((token, at) => {
    if (METRIC.test(token) && !isInGrouping(tokens, at))
      selectors.push({ metric: token, matchers: matchersAt(tokens, at + 1) });
    if (GROUPING.has(token)) groupedBy.push(...namesAt(tokens, at + 1));
  });
  return { selectors, groupedBy };
}

function isInGrouping(tokens: readonly string[], at: number): boolean {
  const opened = tokens.lastIndexOf('(', at);
  return GROUPING.has(tokens[opened - 1] ?? '') && tokens.indexOf(')', opened) > at;
}

function matchersAt(tokens: readonly string[], at: number): Matcher[] {
  if (tokens[at] !== '{') return [];
  const inside = tokens.slice(at + 1, tokens.indexOf('}', at));
  return inside.flatMap((label, index) => {
    const [operator, value] = [inside[index + 1], inside[index + 2]];
    if (operator === undefined || value === undefined || !/^[=!][=~]?$/.test(operator)) return [];
    return [{ label, operator, value: JSON.parse(value) as string }];
  });
}

function namesAt(tokens: readonly string[], at: number): string[] {
  if (tokens[at] !== '(') return [];
  return tokens.slice(at + 1, tokens.indexOf(')', at)).filter((token) => token !== ',');
}

/** The samples of a scrape in Prometheus' text format. */
export function readScrape(text: string): Series[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, metric = '', inside = ''] = /^([\w:]+)(?:\{(.*)\})? /.exec(line) ?? [];
      const pairs = [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      return { metric, labels: Object.fromEntries(pairs.map(([, name, value]) => [name, value])) };
    });
}

/** Whether a selector means a series. Labels that Prometheus adds, and values that a dashboard fills in, mean every one. */
export function means({ metric, matchers }: Selector, series: Series): boolean {
  return metric === series.metric && matchers.every((matcher) => fits(matcher, series.labels));
}

function fits({ label, operator, value }: Matcher, labels: Series['labels']): boolean {
  if (ADDED.has(label) || value.startsWith('$')) return true;
  const own = labels[label] ?? '';
  const isEqual = operator.endsWith('~') ? new RegExp(`^(?:${value})$`).test(own) : own === value;
  return operator.startsWith('!') ? !isEqual : isEqual;
}

/** Labels that Prometheus puts on every series it scrapes. */
export const ADDED: ReadonlySet<string> = new Set(['instance', 'job']);
