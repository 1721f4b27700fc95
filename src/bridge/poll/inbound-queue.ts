import type { SessionHandle } from '../contract.ts';
import type { Message } from './profile.ts';

interface Flow {
  pause(): void;
  resume(): void;
}

/** What has come from the client and waits to be admitted. */
export interface InboundQueue {
  /** A message, and a control frame, came. */
  push(message: Message): void;
  pushControl(): void;
  /** Hands over nothing until `release`. */
  hold(): void;
  release(): void;
  /** No more will come: calls `done` when all of it has been handed over, after `stallMs` at the latest. */
  finish(done: () => void): void;
  /** Forgets what is waiting, and whatever may still come. */
  stop(): void;
}

/**
 * Puts the session's limits between the client and the upstream: what may not pass yet waits, and meanwhile the
 * client is not read. `ws` still gives out the messages of the chunk it has: they are all that ever waits here.
 */
export function createInboundQueue(
  session: SessionHandle,
  flow: Flow,
  onMessage: (message: Message) => void,
  onRefused: (error: unknown) => void,
): InboundQueue {
  const waiting: (Message | 'control')[] = [];
  let timer: NodeJS.Timeout | undefined;
  let held = false;
  let stopped = false;
  let done: (() => void) | undefined;

  function push(item: Message | 'control'): void {
    if (stopped) return;
    waiting.push(item);
    admit();
  }

  function admit(): void {
    try {
      while (waiting.length > 0 && !held && timer === undefined) admitNext();
    } catch (error) {
      stop();
      onRefused(error);
    }
    if (waiting.length === 0) done?.();
  }

  function admitNext(): void {
    const wait = session.admitMessage();
    if (wait > 0) rest(wait);
    else take(waiting.shift());
  }

  function take(item: Message | 'control' | undefined): void {
    if (item === undefined || item === 'control') return;
    const size = item.data.length;
    session.up.messages++;
    session.up.bytes += size;
    const wait = session.admitBytes(size);
    onMessage(item);
    if (wait > 0) rest(wait);
  }

  function rest(ms: number): void {
    flow.pause();
    timer = setTimeout(onRested, ms);
  }

  function onRested(): void {
    timer = undefined;
    proceed();
  }

  function proceed(): void {
    admit();
    if (!held && timer === undefined) flow.resume();
  }

  function stop(): void {
    stopped = true;
    waiting.length = 0;
    clearTimeout(timer);
    timer = undefined;
    done?.();
  }

  return {
    push,
    pushControl: () => push('control'),
    hold() {
      held = true;
      flow.pause();
    },
    release() {
      held = false;
      proceed();
    },
    finish(onDone) {
      const deadline = setTimeout(onFinished, session.stallMs);
      function onFinished(): void {
        clearTimeout(deadline);
        done = undefined;
        stop();
        onDone();
      }
      done = onFinished;
      admit();
    },
    stop,
  };
}
