import type { Mutant } from './mutants.ts';

/** A fault that is none: the program does the same with it. */
interface Equivalent extends Pick<Mutant, 'file' | 'before' | 'after'> {
  readonly why: string;
}

/** Judged by hand. Lines, not their numbers: what changes is judged anew. */
const EQUIVALENT: readonly Equivalent[] = [];

export function isEquivalent(mutant: Mutant, list: readonly Equivalent[] = EQUIVALENT): boolean {
  return list.some(
    ({ file, before, after }) => file === mutant.file && before === mutant.before && after === mutant.after,
  );
}
