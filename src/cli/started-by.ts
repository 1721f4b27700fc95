import type { Context } from './context.ts';

/** How the program was started, as a person would write it. */
export interface Started {
  /** What stands in front of a command and its arguments. */
  readonly by: string;
  /** The same for a command whose stdout is taken: npm tells there what it runs. */
  readonly quietly: string;
  /** Where it was started, if the process itself runs elsewhere: `npm run` changes to the package's folder. */
  readonly folder?: string;
}

/** By the package's script `sallyport`, as npm's variables say, or by its own name. */
export function startedBy({ npm_lifecycle_event: script, INIT_CWD: folder }: Context['env']): Started {
  if (script !== 'sallyport' || !folder) return { by: 'sallyport', quietly: 'sallyport' };
  return { by: 'npm run sallyport --', quietly: 'npm run --silent sallyport --', folder };
}
