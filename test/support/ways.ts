import type { Way } from '../../src/workers/processes.ts';

/** A way between two processes in the memory of one: what is sent is copied, and comes in a later turn. */
export interface WayPair {
  readonly near: Way;
  readonly far: Way;
  /** Nothing is carried any more, and both ends hear it. */
  cut(): void;
  /** Nothing is carried any more, and nobody hears it: the other process hangs. */
  hang(): void;
}

export function wayPair(): WayPair {
  let isOpen = true;
  let isHanging = false;
  const closed: (() => void)[] = [];
  const heard = { near: [] as ((message: unknown) => void)[], far: [] as ((message: unknown) => void)[] };
  function end(own: 'near' | 'far', other: 'near' | 'far'): Way {
    return {
      send(message) {
        if (!isOpen) return;
        const copy = structuredClone(message);
        setImmediate(() => {
          if (isOpen && !isHanging) for (const listener of heard[other]) listener(copy);
        });
      },
      onMessage: (listener) => void heard[own].push(listener),
      onClosed: (listener) => void closed.push(listener),
    };
  }
  return {
    near: end('near', 'far'),
    far: end('far', 'near'),
    cut() {
      isOpen = false;
      for (const listener of closed) listener();
    },
    hang() {
      isHanging = true;
    },
  };
}
