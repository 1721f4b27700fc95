import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CaseResult, Report } from '../types.ts';
import { machineLine } from './machine.ts';
import { drawnMetrics, drawPanel, MARKS, PANEL_WIDTH, type Panel } from './panel.ts';
import { line, svgDocument, text, wrap } from './svg.ts';

const MARGIN = 20;
const GUTTER = 30;
const WIDTH = 2 * MARGIN + 2 * PANEL_WIDTH + GUTTER;
const NO_BREAK = '\u00a0';
const FAINT = '#59636e';

/** Writes the chart of a report to a file, making its folder. Rejects with what the file system says. */
export async function writeChart(file: string, report: Report): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, toChart(report));
}

/** Draws a report as an SVG: per group of cases a heading and, two abreast, a panel of bars for each case. */
export function toChart(report: Report): string {
  const page = new Page();
  drawHead(page, report);
  for (const [group, cases] of byGroup(report.cases)) drawGroup(page, group, cases.flatMap(panelsOf));
  return svgDocument(WIDTH, page.y + MARGIN / 2, 'Sallyport beside other proxies', page.elements);
}

/** What is drawn so far, and how far down. */
class Page {
  readonly elements: string[] = [];
  y = MARGIN;

  place(x: number, elements: readonly string[]): void {
    this.elements.push(`<g transform="translate(${x} ${this.y})">`, ...elements, '</g>');
  }

  /** Writes lines of text one below the other. */
  write(lines: readonly string[], size: number, fill?: string, bold = false): void {
    for (const words of lines) {
      this.place(MARGIN, [text(0, size, words, { size, fill, bold })]);
      this.y += size + 5;
    }
  }
}

function drawHead(page: Page, { date, machine, versions, options, missing, notes }: Report): void {
  // Lines break between names, not in them.
  const software = Object.entries(versions).map(([name, version]) =>
    `${name} ${version}`.replaceAll(' ', NO_BREAK),
  );
  const absent = missing.map(({ peer }) => `${peer} missing`);
  const lines = [
    `${date.slice(0, 10)} · ${machineLine(machine)} · ${repetitions(options)}`,
    [...software, ...absent].join(' · '),
    ...notes,
  ].flatMap((words) => wrap(words, 150));
  page.write(['Sallyport, policy on, beside other proxies on one core'], 16, undefined, true);
  page.write(lines, 11, FAINT);
  drawLegend(page);
}

function repetitions({ rounds, seconds }: Report['options']): string {
  if (rounds === 1) return `one repetition of ${seconds} s`;
  return `medians of ${rounds} repetitions of ${seconds} s, taken in turn`;
}

function drawLegend(page: Page): void {
  const bars: [number, number] = [1, 13];
  function sample(x: number, style: { width?: number; dash?: string }): string {
    return line([x, bars[0]], [x, bars[1]], MARKS.reached, style);
  }
  page.place(MARGIN, [
    sample(2, { width: 2 }),
    text(8, 11, 'target', { fill: FAINT }),
    sample(52, { dash: '2 2' }),
    text(58, 11, 'bolder goal · green: reached, red: missed · × is to the dark bar of each panel', {
      fill: FAINT,
    }),
  ]);
  page.y += 22;
}

function byGroup(cases: readonly CaseResult[]): Map<string, CaseResult[]> {
  return Map.groupBy(cases, ({ group }) => group);
}

function panelsOf(result: CaseResult): Panel[] {
  return drawnMetrics(result).map((metric) => drawPanel(result, metric));
}

function drawGroup(page: Page, group: string, panels: readonly Panel[]): void {
  if (panels.length === 0) return;
  page.y += 8;
  page.write([group], 14, undefined, true);
  page.elements.push(line([MARGIN, page.y], [WIDTH - MARGIN, page.y], '#d0d7de', { width: 1 }));
  page.y += 10;
  for (let at = 0; at < panels.length; at += 2) drawPair(page, panels.slice(at, at + 2));
}

function drawPair(page: Page, pair: readonly Panel[]): void {
  for (const [at, { elements }] of pair.entries()) {
    page.place(MARGIN + at * (PANEL_WIDTH + GUTTER), elements);
  }
  page.y += Math.max(...pair.map(({ height }) => height)) + 14;
}
