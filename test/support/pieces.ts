import fc from 'fast-check';

/** Bodies that come in pieces. */

/** Lengths of pieces, in turn. */
export function pieces() {
  return fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
}

/**
 * Pushes the bytes in pieces of these lengths, again and again; all that came of them. Each piece is overwritten once it has
 * been pushed, as read buffers are.
 */
export function inPieces<T>(
  bytes: Buffer,
  lengths: readonly number[],
  push: (piece: Buffer) => readonly T[],
): T[] {
  const found: T[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const end = at + (lengths[turn % lengths.length] ?? 1);
    const piece = Buffer.from(bytes.subarray(at, end));
    found.push(...push(piece));
    piece.fill(0);
    at = end;
  }
  return found;
}
