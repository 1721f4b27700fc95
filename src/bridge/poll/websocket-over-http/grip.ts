import type { Item } from '../channels.ts';
import type { Message, SessionControls } from '../profile.ts';
import { bytesIn } from '../wire.ts';
import { Alarm } from './alarm.ts';
import { type Beat, type Control, readControl } from './control.ts';
import { invalid } from './events.ts';
import { checkFilters, passes } from './filters.ts';

const CONTROL = Buffer.from('c:');
/** Of control messages that wait for the session, and of what is remembered about it. */
const MOST = 1_000;

interface Subscription {
  readonly filters: readonly string[];
  readonly undo: () => void;
}

/**
 * GRIP on one session: takes the service's control messages out of what it says, and does what they ask for: channels,
 * and messages that keep the client's connection alive. What comes before the session is open waits for that.
 */
export class Grip {
  readonly #prefix: Buffer;
  readonly #channels = new Map<string, Subscription>();
  /** What filters judge by: `user` among others. */
  readonly #meta = new Map<string, string>();
  readonly #alarm = new Alarm(() => this.#onSilence());
  #waiting: Control[] = [];
  #beat: Beat | undefined;
  #session: SessionControls | undefined;
  /** The service wants to hear nothing more of the session, which lives on by its channels. */
  isDetached = false;

  /** `prefix` stands before every message for the client. */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix);
  }

  begin(session: SessionControls): void {
    this.#session = session;
    this.#alarm.start();
    for (const control of this.#waiting.splice(0)) this.#obey(control);
  }

  finish(): void {
    this.#session = undefined;
    this.#alarm.stop();
    for (const { undo } of this.#channels.values()) undo();
    this.#channels.clear();
  }

  /**
   * Does what control messages say, and gives what is for the client. Throws UPSTREAM_INVALID for filters that are not known,
   * and as `subscribe` of the channels does.
   */
  sift(messages: readonly Message[]): Message[] {
    const kept = messages.flatMap((message) => this.#siftOne(message));
    if (kept.length > 0) this.#onSent();
    return kept;
  }

  #siftOne(message: Message): Message[] {
    const { binary } = message;
    const bytes = bytesIn(message);
    if (!binary && startsWith(bytes, CONTROL)) {
      const control = readControl(bytes.toString('utf8', CONTROL.length));
      if (control !== undefined) this.#hear(control);
      return [];
    }
    // Without the prefix it is for the gateway, and nothing that this one knows.
    if (!startsWith(bytes, this.#prefix)) return [];
    return [{ data: bytes.subarray(this.#prefix.length), binary }];
  }

  #hear(control: Control): void {
    if (control.type === 'detach') this.isDetached = true;
    if (control.type === 'subscribe') checkFilters(control.filters);
    if (this.#session !== undefined) this.#obey(control);
    else if (this.#waiting.push(control) > MOST)
      throw invalid(`its OPEN holds more than ${MOST} control messages`);
  }

  #obey(control: Control): void {
    if (control.type === 'subscribe') this.#subscribe(control.channel, control.filters);
    if (control.type === 'unsubscribe') this.#unsubscribe(control.channel);
    if (control.type === 'set-meta') this.#remember(control.name, control.value);
    if (control.type === 'keep-alive') this.#keepAlive(control);
  }

  /** Again, it takes the place of what was before. */
  #subscribe(channel: string, filters: readonly string[]): void {
    const undo = this.#session?.channels.subscribe(channel, (item) => this.#onItem(channel, item));
    if (undo !== undefined) this.#channels.set(channel, { filters, undo });
  }

  #unsubscribe(channel: string): void {
    this.#channels.get(channel)?.undo();
    this.#channels.delete(channel);
  }

  #remember(name: string, value: string | undefined): void {
    if (value === undefined) this.#meta.delete(name);
    else if (this.#meta.size < MOST) this.#meta.set(name, value);
  }

  async #onItem(channel: string, item: Item): Promise<boolean> {
    const session = this.#session;
    if (session === undefined || !this.#isFor(channel, item)) return false;
    if (item.kind === 'message') {
      this.#onSent();
      return session.deliver([item.message]);
    }
    if (item.kind === 'end') session.end(item.end);
    else if (!this.isDetached) session.nudge();
    return true;
  }

  #isFor(channel: string, { meta = {} }: Item): boolean {
    const { filters = [] } = this.#channels.get(channel) ?? {};
    const listensTo = (name: string) => this.#channels.has(name);
    return passes(filters, { user: this.#meta.get('user'), listensTo, meta });
  }

  #keepAlive(beat: Beat): void {
    this.#beat = beat;
    this.#alarm.set(beat.message === undefined ? 0 : beat.everyMs);
  }

  #onSent(): void {
    if (this.#beat?.whenIdle) this.#alarm.wind();
  }

  #onSilence(): void {
    this.#alarm.wind();
    const message = this.#beat?.message;
    if (message !== undefined) void this.#session?.deliver([message]);
  }
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.subarray(0, prefix.length).equals(prefix);
}
