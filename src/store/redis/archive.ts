import type { Archive, Line } from '../shared/channel.ts';
import { list, texts } from './answers.ts';
import type { RedisLink } from './link.ts';
import { FORGET, WRITE } from './scripts.ts';

/** Lines that are read at once, about. */
const AT_ONCE = 500;
/** A hash of millions is read by then. */
const MOST_READS = 10_000;

const LINE = /^(\d+) (\d+) (\d+) (.)(.*)$/s;

/** The lines of all registers in one hash of a Redis. */
export class RedisArchive implements Archive {
  readonly #link: RedisLink;
  readonly #key: string;

  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#key = `${prefix}:registers`;
  }

  async write(lines: readonly Line[]): Promise<void> {
    await this.#link.run(WRITE, this.#key, ...lines.flatMap(encode));
  }

  /** What is over is forgotten on the way. */
  async *read(): AsyncGenerator<readonly Line[]> {
    let cursor = '0';
    for (let reads = 0; reads < MOST_READS; reads++) {
      const [next, found] = list(await this.#link.call('HSCAN', this.#key, cursor, 'COUNT', AT_ONCE));
      const lines = decode(texts(found));
      yield lines;
      await this.#forget(lines);
      cursor = String(next);
      if (cursor === '0') return;
    }
    throw new Error(`${this.#key} does not end`);
  }

  async #forget(lines: readonly Line[]): Promise<void> {
    const over = lines.filter(({ until }) => until <= Date.now());
    for (let at = 0; at < over.length; at += AT_ONCE)
      await this.#link.run(FORGET, this.#key, ...over.slice(at, at + AT_ONCE).map(fieldOf));
  }
}

function fieldOf({ topic, name }: Line): string {
  return `${topic} ${name}`;
}

function encode(line: Line): [string, string] {
  const { text, until, at, chance } = line;
  return [fieldOf(line), `${at} ${chance} ${until} ${text === undefined ? '-' : `+${text}`}`];
}

/** Names and values by turns, as Redis tells them. */
function decode(found: readonly string[]): Line[] {
  const lines: Line[] = [];
  for (let index = 0; index < found.length; index += 2) {
    const [, topic = '', name = ''] = /^(\S+) (.*)$/s.exec(found[index] ?? '') ?? [];
    const [, at, chance, until, sign, text] = LINE.exec(found[index + 1] ?? '') ?? [];
    if (sign === undefined) continue;
    const isStruckOut = sign === '-';
    const numbers = { at: Number(at), chance: Number(chance), until: Number(until) };
    lines.push({ topic, name, text: isStruckOut ? undefined : text, ...numbers });
  }
  return lines;
}
