import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Ledger, numbered, numberReader, tenTimesASecond } from './numbered.ts';

/**
 * Clients in a process of their own, that each send ten numbered messages a second until they see a Close:
 * `node senders.ts URL COUNT`. The n-th connects to `URL/n`. Prints a `Report` when all are closed.
 */
export interface Report {
  /** The last number that each client had sent before it saw the Close. */
  readonly sent: readonly number[];
  /** The last number that each client had received. */
  readonly heard: readonly number[];
  readonly faults: readonly string[];
  readonly codes: readonly number[];
}

/** Handshakes at a time. */
const BATCH = 50;

class Sender {
  readonly socket: WebSocket;
  readonly #index: number;
  readonly #ledger = new Ledger();
  sent = 0;
  code = 0;

  constructor(url: string, index: number) {
    this.#index = index;
    this.socket = new WebSocket(`${url}/${index}`, { perMessageDeflate: false });
    const read = numberReader(this.#ledger);
    this.socket.on('message', (data: Buffer) => read(data));
  }

  /** `ws` is not OPEN any more from the moment that it has read a Close. */
  send(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(numbered(this.#index, ++this.sent));
  }

  async closed(): Promise<void> {
    [this.code] = (await once(this.socket, 'close')) as [number];
  }

  get heard(): number {
    return this.#ledger.count;
  }

  get faults(): readonly string[] {
    return this.#ledger.faults;
  }
}

const [url = '', count = ''] = process.argv.slice(2);
const senders: Sender[] = [];
const closed: Promise<void>[] = [];
while (senders.length < Number(count)) {
  const batch = Array.from({ length: BATCH }, (_, index) => new Sender(url, senders.length + index));
  await Promise.all(batch.map(({ socket }) => once(socket, 'open')));
  senders.push(...batch);
  closed.push(...batch.map((sender) => sender.closed()));
}
const stop = tenTimesASecond(senders, (sender) => sender.send());
await Promise.all(closed);
stop();
const report: Report = {
  sent: senders.map(({ sent }) => sent),
  heard: senders.map(({ heard }) => heard),
  faults: senders.flatMap(({ faults }) => faults),
  codes: senders.map(({ code }) => code),
};
console.log(JSON.stringify(report));
