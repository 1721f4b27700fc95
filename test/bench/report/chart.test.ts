import { describe, expect, test } from 'vitest';
import { toChart } from '../../../bench/report/chart.ts';
import type { Sample, Target } from '../../../bench/types.ts';
import { caseOf, reportOf } from '../../support/bench.ts';

const GREEN = '#1a7f37';
const RED = '#cf222e';
const BLUE = '#1f6feb';
const target: Target = { metric: 'cpuUs', against: 'nginx', atMost: 1.45, proud: 1.3 };

function chartOf(peers: Record<string, Sample | undefined>, targets = [target]): string {
  return toChart(reportOf([caseOf({ peers, targets })]));
}

/** The marks of Sallyport's bar, by colour: all lines of it but those of the legend, which are green. */
function marks(chart: string): string[] {
  const lines = chart.match(/<line [^>]*>/g) ?? [];
  return lines.slice(2).flatMap((line) => [GREEN, RED].find((colour) => line.includes(colour)) ?? []);
}

describe('toChart', () => {
  test('escapes what is text', () => {
    expect(chartOf({ Sallyport: { cpuUs: 1 } })).toContain('Some &#60;CPU&#62; &#38; Co');
  });

  test('says what was scaled down', () => {
    const report = reportOf([caseOf({ peers: { Sallyport: { cpuUs: 1 } } })], {
      notes: ['Fewer connections.'],
    });
    expect(toChart(report)).toContain('>Fewer connections.<');
  });

  test('draws bars in proportion', () => {
    const chart = chartOf({ nginx: { cpuUs: 10 }, Sallyport: { cpuUs: 5 } });
    const widths = [...chart.matchAll(/<rect x="92"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(widths[0]).toBeCloseTo(2 * (widths[1] ?? 0), 0);
  });

  test.each([
    [{ cpuUs: 12 }, [GREEN, GREEN], '✓'],
    [{ cpuUs: 14 }, [GREEN, RED], '✓'],
    [{ cpuUs: 15 }, [RED, RED], '✗'],
  ])('marks the targets of %j', (own, colours, outcome) => {
    const chart = chartOf({ nginx: { cpuUs: 10 }, Sallyport: own });
    expect(marks(chart)).toEqual(colours);
    expect(chart).toContain(`>${outcome}<`);
  });

  test('cuts a bar far beyond the rest, and still writes its figure', () => {
    const chart = chartOf({ nginx: { cpuUs: 10 }, websockify: { cpuUs: 500 }, Sallyport: { cpuUs: 13 } });
    expect(chart).toContain('stroke="#ffffff" stroke-width="4"');
    expect(chart).toMatch(/500 µs +50.0 ×/);
  });

  test('marks a bare bound, also where the figure is nothing', () => {
    const chart = chartOf({ nginx: { mib: 1 }, Sallyport: { mib: 0 } }, [{ metric: 'mib', atMost: 4 }]);
    expect(marks(chart)).toEqual([GREEN]);
    expect(chart).not.toMatch(/NaN|Infinity/);
  });

  test('draws where all figures are nothing', () => {
    expect(
      chartOf({ nginx: { mib: 0 }, Sallyport: { mib: 0 } }, [{ metric: 'mib', against: 'nginx', atMost: 1 }]),
    ).not.toMatch(/NaN|Infinity/);
  });

  test('leaves out a case with nothing to compare', () => {
    expect(chartOf({ Sallyport: { cpuUs: 1 } }, [])).not.toContain('WebSocket, 64 B');
    expect(chartOf({ nginx: { cpuUs: 1 }, Sallyport: { cpuUs: 1 } }, [])).toContain('WebSocket, 64 B');
  });

  test('draws a panel for each metric that is judged', () => {
    const peers = { nginx: { cpuUs: 1, rate: 5 }, Sallyport: { cpuUs: 1, rate: 5 } };
    const chart = chartOf(peers, [target, { metric: 'rate', against: 'nginx', atLeast: 1 }]);
    expect(chart).toContain('CPU µs/message, less is better');
    expect(chart).toContain('messages/s, more is better');
  });

  test('shows a dash where nothing was measured', () => {
    const chart = chartOf({ nginx: undefined, Sallyport: undefined });
    expect(chart.match(/>–</g)).toHaveLength(2);
    expect(chart).not.toContain(BLUE);
    expect(chart).not.toContain('NaN');
  });
});
