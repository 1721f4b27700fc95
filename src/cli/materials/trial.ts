import { ConfigError, type Finding, formatProblem, type Path } from '../../config/problem.ts';

/** Something that a configuration names, at its place in it. */
export interface Trial {
  readonly path: Path;
  /** Throws, or rejects, if it cannot be used; the message is for the operator. */
  readonly run: () => unknown;
}

/** What is wrong with each that cannot be used. Never rejects. */
export async function faultsOf(trials: readonly Trial[]): Promise<Finding[]> {
  return (await Promise.all(trials.map(faults))).flat();
}

async function faults({ path, run }: Trial): Promise<Finding[]> {
  try {
    await run();
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) return [{ path, message: messageOf(error) }];
    // A file with problems at places of its own.
    return error.problems.map((problem) => ({ path, message: formatProblem(error.file, problem) }));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
