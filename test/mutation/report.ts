import type { Verdict } from './judge.ts';

/** A survivor as a reader wants it: where it is, and the lines that differ. */
export function describe({ mutant }: Verdict): string {
  const { file, line, operator, before, after } = mutant;
  const lines = (sign: string, text: string) => text.split('\n').map((each) => `  ${sign} ${each.trim()}`);
  return [`${file}:${line} ${operator}`, ...lines('-', before), ...lines('+', after)].join('\n');
}

/** How many faults were found, room by room and in all, in a table. */
export function scoreTable(verdicts: readonly Verdict[]): string {
  const rooms = Map.groupBy(verdicts, ({ mutant }) => mutant.file.split('/')[1] ?? mutant.file);
  const rows = [...rooms].sort(([one], [other]) => one.localeCompare(other));
  return [...rows, ['all', verdicts] as const].map(([room, of]) => scoreLine(room, of)).join('\n');
}

function scoreLine(room: string, verdicts: readonly Verdict[]): string {
  const found = verdicts.filter(({ outcome }) => outcome !== 'survived').length;
  const share = verdicts.length === 0 ? '–' : `${Math.round((100 * found) / verdicts.length)} %`;
  return `${room.padEnd(12)} ${`${found}/${verdicts.length}`.padStart(9)} ${share.padStart(6)}`;
}

/** Everything, for other programs. */
export function toJson(seed: number, verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ mutant: { text: _text, ...mutant }, outcome, by }) => ({
    ...mutant,
    outcome,
    by,
  }));
  return `${JSON.stringify({ seed, verdicts: rows }, undefined, 2)}\n`;
}
