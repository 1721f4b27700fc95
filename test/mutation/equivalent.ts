import type { Mutant } from './mutants.ts';

/** A fault that is none: the program does the same with it. */
interface Equivalent extends Pick<Mutant, 'file' | 'before' | 'after'> {
  readonly why: string;
}

/** Judged by hand. Lines, not their numbers: what changes is judged anew. */
const EQUIVALENT: readonly Equivalent[] = [
  {
    file: 'src/bridge/poll/service.ts',
    before: 'this.isFinished = true;',
    after: 'this.isFinished = false;',
    why: 'Nobody waits for the service to be told after it, and what its release would give up is over.',
  },
  {
    file: 'src/bridge/poll/service.ts',
    before: 'this.isFinished = true;',
    after: ';',
    why: 'As above.',
  },
  {
    file: 'src/bridge/websocket.ts',
    before:
      "(credential) => credential?.from === 'subprotocol' && credential.carriers.includes(chosen ?? ''),",
    after: "(credential) => credential?.from === 'subprotocol' && credential.carriers.includes(chosen ),",
    why: 'Neither is among the carriers, and where nothing is chosen nothing is named.',
  },
  {
    file: 'src/frames/close.ts',
    before: 'if (text.length <= limit) return text.length;',
    after: 'if (text.length < limit) return text.length;',
    why: 'A text of just that length has no byte at its end that would move the border.',
  },
  {
    file: 'src/frames/close.ts',
    before: 'while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end--;',
    after: 'while (end >= 0 && ((text[end] as number) & 0xc0) === 0x80) end--;',
    why: 'The first byte of a text in UTF-8 continues no character.',
  },
  {
    file: 'src/frames/close.ts',
    before: 'while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end--;',
    after: 'while (end > 1 && ((text[end] as number) & 0xc0) === 0x80) end--;',
    why: 'No character has more than four bytes, and the limit is far from there.',
  },
  {
    file: 'src/frames/header.ts',
    before: "if (first < 0x80) return 'a fragmented control frame';",
    after: "if (first < 129) return 'a fragmented control frame';",
    why: 'The first byte of a control frame that is not fragmented is 0x88 or more.',
  },
  {
    file: 'src/frames/header.ts',
    before: "if (first < 0x80) return 'a fragmented control frame';",
    after: "if (first <= 0x80) return 'a fragmented control frame';",
    why: 'As above.',
  },
  {
    file: 'src/stream/sink.ts',
    before: '#fullSince = 0;',
    after: '#fullSince = 1;',
    why: 'It is read while the sink is full only, and set when it becomes so.',
  },
  {
    file: 'src/stream/sink.ts',
    before: 'let isRoom = true;',
    after: 'let isRoom = false;',
    why: 'What waits is never an empty list, and each write of it says whether there is room.',
  },
  {
    file: 'src/stream/unacknowledged.ts',
    before:
      "const [, , , , queues = '', timer = '', count = ''] = table.slice(start, start + 200).split(/\\s+/);",
    after:
      "const [, , , , queues = '', timer = '', count = ''] = table.slice(start, start + 201).split(/\\s+/);",
    why: 'The fields that are read end well before.',
  },
  {
    file: 'src/upstream/answer.ts',
    before: "response.off('data', onData).off('end', finish).off('error', onError);",
    after: ';',
    why: 'The response is paused or has failed, and a settled promise takes no second answer.',
  },
  {
    file: 'src/upstream/balance/round-robin.ts',
    before: 'const credit = (credits.get(candidate) ?? 0) + weight;',
    after: 'const credit = (credits.get(candidate) ?? 1) + weight;',
    why: 'All begin with the same, and only their differences count.',
  },
  {
    file: 'src/upstream/handshake.ts',
    before: "signal.addEventListener('abort', onAbort, { once: true });",
    after: "signal.addEventListener('abort', onAbort, { once: false });",
    why: 'A signal aborts once, and the listener is taken away at the end.',
  },
  {
    file: 'src/upstream/http-pool.ts',
    before: 'this.#isClosed = true;',
    after: ';',
    why: 'What is closed has left the table, and only what is in the table is given a connection.',
  },
  {
    file: 'src/upstream/http-pool.ts',
    before: 'this.#isClosed = true;',
    after: 'this.#isClosed = false;',
    why: 'As above.',
  },
];

export function isEquivalent(mutant: Mutant, list: readonly Equivalent[] = EQUIVALENT): boolean {
  return list.some(
    ({ file, before, after }) => file === mutant.file && before === mutant.before && after === mutant.after,
  );
}
