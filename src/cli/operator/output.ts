import type { Context } from '../context.ts';

/** What every command of operators has for programs that read it. */
export interface OutputOptions {
  readonly json?: true;
}

export const JSON_OPTION = ['--json', 'one JSON document, for other programs'] as const;

/** Says what has been done: a sentence for people, or the document. */
export function tell({ stdout }: Context, { json }: OutputOptions, document: object, sentence: string): void {
  stdout.write(`${json ? JSON.stringify(document) : sentence}\n`);
}

/** Warns of workers that have not answered in time, by their numbers. */
export function warnOfSilent({ stderr }: Context, silent: readonly number[] | undefined): void {
  if (silent === undefined) return;
  const who = `worker ${silent.join(' and ')}`;
  stderr.write(`sallyport: ${who} did not answer in time: what it has is missing here\n`);
}

/** `ended 1 session`. */
export function endedText(count: number): string {
  return `ended ${count} session${count === 1 ? '' : 's'}`;
}
