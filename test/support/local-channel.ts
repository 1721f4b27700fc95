import {
  type Archive,
  type Channel,
  isLater,
  type Line,
  type Message,
} from '../../src/store/shared/channel.ts';

/** Processes that tell each other in the memory of one, for tests that lose, delay and repeat what is told. */
export class LocalChannels {
  readonly #members = new Map<string, Member>();

  /** One more of them. */
  join(name: string): LocalChannel {
    const member: Member = { name, listeners: [], isAway: false, missed: [] };
    this.#members.set(name, member);
    const members = this.#members;
    return {
      get others() {
        return [...members.keys()].filter((each) => each !== name);
      },
      tell: (message) => this.#tell(member, JSON.stringify(message)),
      onTold: (listener) => void member.listeners.push(listener),
      away() {
        member.isAway = true;
      },
      back: ({ forgotten = false } = {}) => this.#back(member, forgotten),
      leave: () => void members.delete(name),
    };
  }

  #tell(from: Member, text: string): void {
    if (from.isAway) from.missed.push({ to: 'others', from: from.name, text });
    else this.#spread(from.name, text);
  }

  #spread(from: string, text: string): void {
    for (const member of this.#members.values()) {
      if (member.name === from) continue;
      if (member.isAway) member.missed.push({ to: 'this', from, text });
      else hear(member, from, text);
    }
  }

  #back(member: Member, isForgotten: boolean): void {
    member.isAway = false;
    for (const { to, from, text } of member.missed.splice(0)) {
      if (to === 'others') this.#spread(from, text);
      else if (!isForgotten) hear(member, from, text);
    }
  }
}

export interface LocalChannel extends Channel {
  /** It hears nothing, and is not heard, until it is back. */
  away(): void;
  /** What was told meanwhile is heard, unless it was forgotten. */
  back(options?: { readonly forgotten?: boolean }): void;
  leave(): void;
}

interface Member {
  readonly name: string;
  readonly listeners: ((message: Message, from: string) => void)[];
  isAway: boolean;
  readonly missed: { readonly to: 'others' | 'this'; readonly from: string; readonly text: string }[];
}

function hear({ listeners }: Member, from: string, text: string): void {
  queueMicrotask(() => {
    for (const listener of listeners) listener(JSON.parse(text), from);
  });
}

/** An archive in memory, which a test makes unreachable. */
export class LocalArchive implements Archive {
  readonly lines = new Map<string, Line>();
  fault: Error | undefined;

  async write(lines: readonly Line[]): Promise<void> {
    if (this.fault) throw this.fault;
    for (const line of lines) {
      const key = JSON.stringify([line.topic, line.name]);
      if (isLater(line, this.lines.get(key))) this.lines.set(key, line);
    }
  }

  async *read(): AsyncGenerator<readonly Line[]> {
    if (this.fault) throw this.fault;
    for (const line of [...this.lines.values()]) yield [line];
  }
}
