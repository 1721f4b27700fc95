/** Numbered messages: who sent it, and which of theirs it is. Eight bytes each. */

const SIZE = 8;

export function numbered(sender: number, number: number): Buffer {
  const message = Buffer.allocUnsafe(SIZE);
  message.writeUInt32BE(sender, 0);
  message.writeUInt32BE(number, 4);
  return message;
}

/** What has come of everybody's messages. */
export class Ledger {
  /** The last number of each sender. */
  readonly last = new Map<number, number>();
  /** Numbers that did not follow the one before. */
  readonly faults: string[] = [];
  count = 0;

  add(sender: number, number: number): void {
    const before = this.last.get(sender) ?? 0;
    if (number !== before + 1) this.faults.push(`${sender}: ${number} after ${before}`);
    this.last.set(sender, number);
    this.count++;
  }
}

/** Reads messages from bytes that may be cut anywhere. */
export function numberReader(ledger: Ledger): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0);
  return function onBytes(bytes) {
    let all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (; all.length >= SIZE; all = all.subarray(SIZE)) ledger.add(all.readUInt32BE(0), all.readUInt32BE(4));
    rest = Buffer.from(all);
  };
}

/** Calls `act` ten times a second with each member, a tenth of them at a time; members may be added. Returns what ends it. */
export function tenTimesASecond<T>(members: readonly T[], act: (member: T) => void): () => void {
  let turn = 0;
  const timer = setInterval(function onTurn() {
    for (let i = turn; i < members.length; i += 10) act(members[i] as T);
    turn = (turn + 1) % 10;
  }, 10);
  return () => clearInterval(timer);
}
