import type { ParsedConfig } from '../config/load.ts';
import { createUpstreamContext } from '../upstream/context.ts';
import { type Context, EXIT } from './context.ts';
import { externalTrials } from './live/external.ts';
import { keyTrials } from './live/keys.ts';
import { type SessionOptions, sessionTrials } from './live/sessions.ts';
import { storeTrials } from './live/store.ts';
import { targetTrials } from './live/targets.ts';
import { reasonOf, type Trial } from './live/trial.ts';
import { table } from './table.ts';

/** For each target and key set. */
const TRIAL_MS = 3_000;
const MAX_AT_ONCE = 8;

interface Outcome {
  readonly isGood: boolean;
  readonly text: string;
}

/**
 * `sallyport check --live FILE`: tries what a configuration names over the network, as the gateway would for a
 * client that brings nothing: the store is written to and read, key sets are fetched, services behind `auth.external` asked, WebSocket upstreams shaken hands
 * with, HTTP ones sent a GET, and TCP ones dialled; sessions with HTTP services are opened, polled once and closed. Writes a table
 * to stdout, and what was said in sessions; resolves with the exit code, 1 if anything cannot be used. Never rejects.
 */
export async function checkLive(
  { stdout }: Context,
  { config, locate }: Pick<ParsedConfig, 'config' | 'locate'>,
  options: Omit<SessionOptions, 'locate'>,
): Promise<number> {
  const upstreams = createUpstreamContext();
  try {
    const trials = [
      ...storeTrials(config),
      ...keyTrials(config),
      ...externalTrials(config),
      ...targetTrials(config, upstreams),
    ];
    const sessions = sessionTrials(config, upstreams, { ...options, locate });
    const outcomes = await runAll(trials, outcomeOf);
    const rows = trials.map(({ target, of }, index) => [target, of, outcomes[index]?.text ?? '']);
    stdout.write(`\n${table([['TARGET', 'OF', 'RESULT'], ...rows])}`);
    const told = await runAll(sessions, ({ run }) => run(AbortSignal.timeout(TRIAL_MS)));
    for (const { lines } of told) stdout.write(`\n${lines.join('\n')}\n`);
    return [...outcomes, ...told].every(({ isGood }) => isGood) ? EXIT.ok : EXIT.failure;
  } finally {
    upstreams.resolver.close();
  }
}

/** A few at once; their outcomes in the order of the trials. */
async function runAll<T, O>(trials: readonly T[], run: (trial: T) => Promise<O>): Promise<O[]> {
  const outcomes: O[] = [];
  const waiting = trials.entries();
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, work));
  return outcomes;

  async function work(): Promise<void> {
    for (const [index, trial] of waiting) outcomes[index] = await run(trial);
  }
}

async function outcomeOf(trial: Trial): Promise<Outcome> {
  try {
    return { isGood: true, text: await trial.run(AbortSignal.timeout(TRIAL_MS)) };
  } catch (error) {
    return { isGood: false, text: `FAILS: ${reasonOf(error)}` };
  }
}
