/** What Redis answers, as it is expected. Each throws where it is something else: what was believed of it would stay wrong. */

/** An array. */
export function list(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : nonsense();
}

/** An array of strings. */
export function texts(answer: unknown): readonly string[] {
  return list(answer).every((each) => typeof each === 'string') ? (answer as string[]) : nonsense();
}

/** A whole number from `least` to `most`. */
export function whole(answer: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const isSound =
    typeof answer === 'number' && Number.isSafeInteger(answer) && least <= answer && answer <= most;
  return isSound ? answer : nonsense();
}

/** The id of an entry of a stream: behind what is none nothing could be read any more. */
export function streamId(answer: unknown): string {
  return typeof answer === 'string' && /^\d+-\d+$/.test(answer) ? answer : nonsense();
}

function nonsense(): never {
  throw new Error('what Redis says makes no sense');
}
