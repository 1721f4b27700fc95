/**
 * Whether a text matches a pattern of Redis's KEYS: `*` any characters, `?` one. In time that grows with the product of
 * their lengths: nobody may hold up the service by a pattern.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let [t, p] = [0, 0];
  let star: { t: number; p: number } | undefined;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = { t, p };
      p++;
    } else if (pattern[p] === '?' || pattern[p] === text[t]) {
      t++;
      p++;
    } else if (star) {
      // The last star takes one character more.
      star.t++;
      t = star.t;
      p = star.p + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(p));
}
