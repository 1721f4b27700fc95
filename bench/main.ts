import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBed } from './bed.ts';
import { cases } from './cases/index.ts';
import { Load } from './load/load.ts';
import { assignCores } from './measure/cores.ts';
import { Processes } from './measure/processes.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { peers } from './peers/index.ts';
import { type Selection, select } from './plan.ts';
import { showProgress } from './progress.ts';
import { writeChart } from './report/chart.ts';
import { writeJson } from './report/json.ts';
import { toList } from './report/list.ts';
import { describeMachine } from './report/machine.ts';
import { toTable } from './report/table.ts';
import { resultsOf } from './results.ts';
import { type Outcomes, run } from './run.ts';
import type { Bed, Report, Tools } from './types.ts';

/** `npm run bench`: command line → plan → run → report. */

const RESULTS = new URL('results/', import.meta.url);

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options.list) {
    process.stdout.write(toList(cases));
    return;
  }
  const selection = select(options, cases, peers);
  for (const { peer, install } of selection.missing) console.error(`${peer} is missing: ${install}`);
  const notes = new Set<string>();
  const outcomes = await measure(options, selection, (text) => notes.add(text));
  await publish(makeReport(options, selection, outcomes, [...notes]), options);
}

/** Sets everything up, runs the plan, and leaves nothing behind, also when it is interrupted. */
async function measure(options: Options, selection: Selection, note: Tools['note']): Promise<Outcomes> {
  const processes = new Processes();
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  async function tidy(): Promise<void> {
    await processes.stopAll();
    rmSync(directory, { recursive: true, force: true });
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void tidy().then(() => process.exit(130)));
  }
  try {
    const bed = await makeBed(processes, assignCores(note), directory);
    const plan = { ...selection, rounds: options.rounds, onProgress: showProgress(process.stderr) };
    return await run(plan, toolsOf(options, bed, note));
  } finally {
    await tidy();
  }
}

function toolsOf({ quick, seconds }: Options, bed: Bed, note: Tools['note']): Tools {
  if (quick) note(`A glance: ${seconds} s each, once. Take ratios within a tenth or two.`);
  return {
    bed,
    load: new Load(bed.processes, bed.cores.load, bed.tokens.common),
    seconds,
    warmUp: seconds / 2,
    untilSteady: quick,
    scale: quick ? 0.1 : 1,
    note,
  };
}

function makeReport(options: Options, selection: Selection, outcomes: Outcomes, notes: string[]): Report {
  const { quick, rounds, seconds, only } = options;
  const versions = selection.peers.map((peer) => [peer.name, peer.version()]);
  return {
    date: new Date().toISOString(),
    machine: describeMachine(),
    versions: { Node: process.versions.node, ...Object.fromEntries(versions) },
    options: { quick, rounds, seconds, only, peers: options.peers },
    missing: selection.missing,
    notes,
    cases: resultsOf(selection, outcomes),
  };
}

async function publish(report: Report, { json, save }: Options): Promise<void> {
  process.stdout.write(toTable(report));
  if (json !== undefined) await writeJson(json, report);
  if (!save) return;
  await writeJson(new URL('latest.json', RESULTS).pathname, report);
  await writeChart(new URL('latest.svg', RESULTS).pathname, report);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
