import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { LONG_MS, SEED } from './chaos.ts';
import { freshSecret } from './lingering.ts';
import { within } from './patience.ts';
import { seeded } from './seeded.ts';

/** So many messages go up before the client asks whether they have been read. */
const BURST = 40;
/** What the client makes of a connection that it has left (RFC 6455 §7.1.5). */
const LEFT = 1006;
/** So long it stays away at most: sometimes it is back before it is missed. */
const AWAY_MS = 200;

/** A client of numbered messages each way that is lost at times, and comes back with its resume token. */
export class ChaosClient {
  readonly #url: string;
  readonly #last: number;
  /** All that has come, over all connections. */
  readonly heard: string[] = [];
  /** How often each number was sent. */
  readonly times = new Map<number, number>();
  /** What its connections were closed with, but for those that it left. */
  readonly codes: number[] = [];
  #token = freshSecret();
  /** Messages of the session. */
  #received = 0;
  #sent = 0;
  /** Of those, what the gateway is known to have read. */
  #read = 0;

  /** It hears `last` messages, and sends as many. */
  constructor(url: string, last: number) {
    this.#url = url;
    this.#last = last;
  }

  get progress(): number {
    return this.heard.length + this.#read;
  }

  get #isDone(): boolean {
    return this.progress === 2 * this.#last;
  }

  /**
   * Speaks and listens until all is said and heard, over as many connections as it takes, and closes the last with 1000. It
   * leaves one without a word at each of these places of `progress`. What the gateway has not read by then it says again, or not;
   * or there is `nothing`: it waits until all is read.
   */
  async converse(drops: number[], unread: 'again' | 'lost' | 'nothing'): Promise<void> {
    const random = seeded(SEED);
    const isEnough = () => drops.length > 0 && this.progress >= (drops[0] as number);
    const mayLeave = () => isEnough() && (unread !== 'nothing' || this.#read === this.#sent);
    while (this.codes.at(-1) !== 1000) {
      const code = await this.#visit(mayLeave);
      while (isEnough()) drops.shift();
      if (unread === 'again') this.#sent = this.#read;
      this.#read = this.#sent;
      if (code === LEFT) await sleep(random(AWAY_MS));
      else this.#beginAnew(code);
    }
  }

  #beginAnew(code: number): void {
    this.codes.push(code);
    this.#token = freshSecret();
    this.#received = 0;
  }

  /** One connection. Resolves with the code that it was closed with. */
  async #visit(mayLeave: () => boolean): Promise<number> {
    const query = `since=${this.heard.length}&resume=${this.#token}.${this.#received}`;
    const client = new WebSocket(`${this.#url}?${query}`);
    onTestFinished(() => client.terminate());
    client.on('error', () => {});
    const closed = new Promise<number>((resolve) => client.once('close', resolve));
    const look = () => {
      if (this.#isDone) client.close(1000);
      else if (mayLeave()) leave(client);
    };
    client.on('message', (data) => {
      this.#received++;
      this.heard.push(String(data));
      look();
    });
    client.on('pong', (data) => {
      this.#read = Number(String(data));
      look();
      if (this.#sent < this.#last && client.readyState === WebSocket.OPEN) this.#sendSome(client);
    });
    client.once('open', () => this.#sendSome(client));
    return within(closed, () => `an end; heard ${this.heard.length}, sent ${this.#sent}`, LONG_MS);
  }

  /** The gateway answers the ping behind them when it has read them. */
  #sendSome(client: WebSocket): void {
    const last = Math.min(this.#sent + BURST, this.#last);
    for (let number = this.#sent + 1; number <= last; number++) {
      this.times.set(number, (this.times.get(number) ?? 0) + 1);
      client.send(String(number));
    }
    this.#sent = last;
    client.ping(String(last));
  }
}

/** Without a word; what has come and was not read never is. */
function leave(client: WebSocket): void {
  client.removeAllListeners('message').removeAllListeners('pong').terminate();
}
