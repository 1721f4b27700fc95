import type { Bridge } from './contract.ts';

/** A bridge that gives its place at the upstream back when its session ends, or when it never begins. */
export function leased(bridge: Bridge, release: () => void): Bridge {
  return {
    ...bridge,
    run(client, head, session) {
      const done = bridge.run(client, head, session);
      void done.then(release, release);
      return done;
    },
    abandon() {
      bridge.abandon();
      release();
    },
  };
}
