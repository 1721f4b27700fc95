import { distance } from 'fastest-levenshtein';

/** Two letters swapped count as two. */
const MAX_SLIPS = 3;

/** The candidate that `name` is most likely a slip of, with at most so many `slips`; undefined if none is near. */
export function suggest(
  name: string,
  candidates: readonly string[],
  slips: number = MAX_SLIPS,
): string | undefined {
  const wanted = name.toLowerCase();
  const near = candidates
    .map((candidate) => ({ candidate, distance: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= slips && distance < candidate.length / 1.5)
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate;
}

/** `did you mean X?`, or else the list of what is known. */
export function suggestion(name: string, candidates: readonly string[]): string {
  const meant = suggest(name, candidates);
  if (meant !== undefined) return `did you mean ${meant}?`;
  return candidates.length === 0 ? 'nothing may stand here' : `known here: ${candidates.join(', ')}`;
}
