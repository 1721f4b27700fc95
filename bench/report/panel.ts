import type { CaseResult, FrameAction, Metric, PeerResult, Target } from '../types.ts';
import { isRatio, JUDGED, yardstickOf } from './judge.ts';
import { digits, figure, styleOf } from './metrics.ts';
import { line, rectangle, text, wrap } from './svg.ts';

/** One metric of one case as bars, a peer each; drawn from (0, 0). */
export interface Panel {
  readonly height: number;
  readonly elements: readonly string[];
}

export const PANEL_WIDTH = 440;

const TITLE_COLUMNS = 66;
const BAR_START = 92;
const BAR_LENGTH = 190;
const ROW = 17;

const COLOURS = { judged: '#1f6feb', yardstick: '#57606a', other: '#afb8c1', faint: '#59636e' };
/** Of the marks at targets. */
export const MARKS = { reached: '#1a7f37', missed: '#cf222e' };

/** The metrics a case is drawn in: those its targets judge, or else its first; none where there is nothing to compare. */
export function drawnMetrics({ metrics, peers, verdicts }: CaseResult): Metric[] {
  const judged = new Set(verdicts.map(({ target }) => target.metric));
  if (peers.length < 2 && judged.size === 0) return [];
  return judged.size > 0 ? [...judged] : metrics.slice(0, 1);
}

/** Draws one metric of a case. Bars beyond the scale are cut, and look it; the figures beside them are not. */
export function drawPanel(result: CaseResult, metric: Metric): Panel {
  const { heading, lessIsBetter } = styleOf(metric);
  const titles = wrap(result.title, TITLE_COLUMNS);
  const top = titles.length * 15 + 20;
  const aim = `${heading(result.unit)}, ${lessIsBetter ? 'less' : 'more'} is better`;
  const scale = scaleOf(result, metric);
  const rows = result.peers.map((peer, at) => drawRow({ result, metric, scale, peer, y: top + at * ROW }));
  return {
    height: top + result.peers.length * ROW,
    elements: [
      ...titles.map((title, at) => text(0, 12 + at * 15, title, { size: 12, bold: true })),
      text(0, top - 7, aim, { size: 10.5, fill: COLOURS.faint }),
      ...rows.flat(),
    ],
  };
}

/** The value at the end of a full bar: what is compared fits, and what is far beyond it is cut. */
function scaleOf(result: CaseResult, metric: Metric): number {
  const yardstick = yardstickOf(result, metric)?.peer;
  const all = result.peers.flatMap(({ median }) => median[metric] ?? []);
  const compared = [
    ...result.peers
      .filter(({ peer }) => peer === yardstick || peer === JUDGED)
      .flatMap(({ median }) => median[metric] ?? []),
    ...marksOf(result, metric).map(({ value }) => value),
  ];
  // All of them may be 0, and a bar of 0 needs some scale, too.
  return Math.min(Math.max(...all, ...compared), Math.max(...compared) * 1.6) || 1;
}

interface Row {
  readonly result: CaseResult;
  readonly metric: Metric;
  readonly scale: number;
  readonly peer: PeerResult;
  readonly y: number;
}

function drawRow(row: Row): string[] {
  const { result, metric, scale, peer, y } = row;
  const value = peer.median[metric];
  const judged = peer.peer === JUDGED;
  const label = text(BAR_START - 8, y + 11, peer.peer, { anchor: 'end', bold: judged });
  if (value === undefined) return [label, text(BAR_START, y + 11, '–', { fill: COLOURS.faint })];
  const fill = judged
    ? COLOURS.judged
    : peer === yardstickOf(result, metric)
      ? COLOURS.yardstick
      : COLOURS.other;
  const length = Math.min(1, value / scale) * BAR_LENGTH;
  const bar = rectangle(BAR_START, y + 2, Math.max(length, 1), ROW - 6, fill);
  const cut = value > scale * 1.001 ? [cutMark(BAR_START + length - 14, y)] : [];
  const marks = judged ? marksOf(result, metric).flatMap((mark) => drawMark(mark, scale, y)) : [];
  return [label, bar, ...cut, ...marks, ...drawFigures(row, value)];
}

/** A slanted gap through the end of a bar. */
function cutMark(x: number, y: number): string {
  return line([x, y + ROW - 2], [x + 6, y], '#ffffff', { width: 4 });
}

function drawFigures({ result, metric, peer, y }: Row, value: number): string[] {
  const judged = peer.peer === JUDGED;
  const words =
    `${figure(metric, value)}${styleOf(metric).suffix}`.padStart(13) + ratioOf(result, metric, value);
  const figures = text(BAR_START + BAR_LENGTH + 4, y + 11, words, { mono: true, bold: judged });
  const outcome = judged ? outcomeOf(result, metric) : undefined;
  if (outcome === undefined) return [figures];
  const fill = outcome ? MARKS.reached : MARKS.missed;
  return [figures, text(PANEL_WIDTH, y + 11, outcome ? '✓' : '✗', { fill, bold: true, anchor: 'end' })];
}

function ratioOf(result: CaseResult, metric: Metric, value: number): string {
  const yardstick = yardstickOf(result, metric)?.median[metric];
  return yardstick && result.peers.length > 1 ? `${digits(value / yardstick)} ×`.padStart(8) : '';
}

/** Whether all targets of the metric are reached; undefined if none could be judged. */
function outcomeOf({ verdicts }: CaseResult, metric: Metric): boolean | undefined {
  const judged = verdicts.filter(({ target, reached }) => target.metric === metric && reached !== undefined);
  return judged.length === 0 ? undefined : judged.every(({ reached }) => reached);
}

/** A target as a place on the scale of values. */
interface Mark {
  readonly value: number;
  readonly proud: boolean;
  readonly reached: boolean;
}

function marksOf({ peers, verdicts }: CaseResult, metric: Metric): Mark[] {
  const own = peers.find(({ peer }) => peer === JUDGED)?.median[metric];
  if (own === undefined) return [];
  return verdicts
    .filter(({ target }) => target.metric === metric)
    .flatMap((verdict) => marksAt(verdict, own));
}

/** Where the bounds of a verdict stand. A ratio's yardstick is told by Sallyport's own value, `value` times that. */
function marksAt({ target, value, reached = false, proud = false }: FrameAction, own: number): Mark[] {
  const bound = boundOf(target);
  if (value === undefined || bound === undefined) return [];
  const unit = isRatio(target) ? own / value : 1;
  const mark = { value: bound * unit, proud: false, reached };
  return target.proud === undefined
    ? [mark]
    : [mark, { value: target.proud * unit, proud: true, reached: proud }];
}

function boundOf({ atMost, atLeast }: Target): number | undefined {
  return atMost ?? atLeast;
}

function drawMark({ value, proud, reached }: Mark, scale: number, y: number): string[] {
  const x = BAR_START + Math.min(1, value / scale) * BAR_LENGTH;
  const style = proud ? { dash: '2 2' } : { width: 2 };
  const ends = [
    [x, y - 1],
    [x, y + ROW - 2],
  ] as const;
  const halo = line(...ends, '#ffffff', { width: 5 });
  return [halo, line(...ends, reached ? MARKS.reached : MARKS.missed, style)];
}
