/** The head of a capsule (RFC 9297 §3.2) with a payload of so many bytes; type and length are below 2^53. */
export function capsuleHead(type: number, length: number): Buffer {
  const sizes = [sizeOf(type), sizeOf(length)] as const;
  const head = Buffer.allocUnsafe(sizes[0] + sizes[1]);
  write(head, 0, type, sizes[0]);
  write(head, sizes[0], length, sizes[1]);
  return head;
}

/** Bytes of the shortest variable-length integer (RFC 9000 §16) that has the value. */
function sizeOf(value: number): 1 | 2 | 4 | 8 {
  if (value < 2 ** 6) return 1;
  if (value < 2 ** 14) return 2;
  return value < 2 ** 30 ? 4 : 8;
}

function write(into: Buffer, at: number, value: number, size: 1 | 2 | 4 | 8): void {
  if (size === 8) {
    into.writeBigUInt64BE((3n << 62n) | BigInt(value), at);
    return;
  }
  into.writeUIntBE(value, at, size);
  // The two bits in front say how many bytes there are.
  into[at] = (into[at] as number) | (size === 1 ? 0x00 : size === 2 ? 0x40 : 0x80);
}
