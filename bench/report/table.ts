import type { CaseResult, FrameAction, Report, Target } from '../types.ts';
import { isRatio, yardstickOf } from './judge.ts';
import { machineLine } from './machine.ts';
import { digits, figure, styleOf } from './metrics.ts';

/** A report as text for a terminal: the machine, then each case with its peers, their ratios and the verdicts. */
export function toTable(report: Report): string {
  const blocks = [head(report), ...groups(report.cases), foot(report)];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function head({ date, machine, versions }: Report): string {
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [`${date.slice(0, 10)} · ${machineLine(machine)}`, ...lines(software, ' · ')].join('\n');
}

/** Joins parts into lines of at most 110 columns. */
function lines(parts: readonly string[], separator: string): string[] {
  const filled: string[] = [];
  for (const part of parts) {
    const last = filled.at(-1);
    if (last !== undefined && last.length + separator.length + part.length <= 110)
      filled[filled.length - 1] = last + separator + part;
    else filled.push(part);
  }
  return filled;
}

function groups(cases: readonly CaseResult[]): string[] {
  return cases.flatMap((result, at) => {
    const heading = result.group === cases[at - 1]?.group ? [] : [`── ${result.group} `.padEnd(78, '─')];
    return [...heading, caseBlock(result)];
  });
}

function caseBlock(result: CaseResult): string {
  const [lead] = result.metrics;
  const yardstick = lead && yardstickOf(result, lead);
  const headings = result.metrics.map((metric) => styleOf(metric).heading(result.unit));
  const comparison = lead && result.peers.length > 1 ? `${styleOf(lead).name} × ${yardstick?.peer}` : '';
  const rows = result.peers.map((peer) => [
    peer.peer,
    ...result.metrics.map((metric) => figure(metric, peer.median[metric])),
    comparison && ratio(lead && peer.median[lead], lead && yardstick?.median[lead]),
  ]);
  const table = align([[result.name, ...headings, comparison], ...rows]);
  return [result.title, ...table, ...failures(result), ...result.verdicts.map(verdictLine)].join('\n');
}

function ratio(own: number | undefined, yardstick: number | undefined): string {
  return own === undefined || !yardstick ? '–' : digits(own / yardstick);
}

function failures({ peers }: CaseResult): string[] {
  return peers.flatMap(({ peer, failure }) => (failure === undefined ? [] : [`  – ${peer}: ${failure}`]));
}

/** Pads the cells: names to the left, figures to the right; a column without a figure is left out. */
function align(rows: readonly string[][]): string[] {
  const columns = (rows[0] ?? []).map((_, at) => rows.map((row) => row[at] ?? ''));
  const shown = columns.filter(([, ...cells]) => cells.some((cell) => cell !== '' && cell !== '–'));
  const padded = shown.map((cells, at) => {
    const width = Math.max(...cells.map((cell) => cell.length));
    return cells.map((cell) => (at === 0 ? cell.padEnd(Math.max(width, 18)) : cell.padStart(width)));
  });
  return rows.map((_, row) => `  ${padded.map((cells) => cells[row]).join('   ')}`.trimEnd());
}

function verdictLine({ target, value, reached, proud }: FrameAction): string {
  const mark = reached === undefined ? '–' : reached ? '✓' : '✗';
  const boast = proud ? `, and ${goal(target, target.proud)}` : '';
  return `  ${mark} ${goalOf(target)}: ${measured(target, value)}${boast}`;
}

/** A target in words: `CPU ≤ 1.45 × nginx`, `growth ≤ 4 MiB`; of whom, if that is not Sallyport itself. */
export function goalOf(target: Target): string {
  const whose = target.of === undefined ? '' : `${target.of}: `;
  return `${whose}${styleOf(target.metric).name} ${goal(target, target.atMost ?? target.atLeast)}`;
}

function goal(target: Target, bound: number | undefined): string {
  const sign = target.atMost === undefined ? '≥' : '≤';
  return `${sign} ${Number(bound?.toPrecision(3))}${unitOf(target)}`;
}

function measured(target: Target, value: number | undefined): string {
  if (value === undefined) return 'not measured';
  return `${digits(value)}${isRatio(target) ? ' ×' : styleOf(target.metric).suffix}`;
}

function unitOf(target: Target): string {
  if (!isRatio(target)) return styleOf(target.metric).suffix;
  const { against, inCase } = target;
  return ` × ${[against, inCase].filter((name) => name !== undefined).join(' in ')}`;
}

function foot({ missing, notes }: Report): string {
  const absent = missing.map(({ peer, install }) => `${peer} is missing: ${install}`);
  return [...absent, ...notes].join('\n');
}
