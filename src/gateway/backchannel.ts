import type { ChannelHub } from '../bridge/poll/channels.ts';
import type { PushObserver } from '../bridge/poll/pushes.ts';
import type { Backchannel } from '../observe/admin/backchannel.ts';
import type { Sessions } from '../session/registry.ts';
import { within } from '../within.ts';

/** How services reach the sessions of a gateway, and its channels; what becomes of each push is counted. */
export function createBackchannel(
  sessions: Pick<Sessions, 'find'>,
  channels: ChannelHub,
  observer: PushObserver,
): Backchannel {
  function count(isOut: boolean): void {
    observer.pushed('connection', isOut ? 'delivered' : 'gone');
  }
  return {
    async push(id, message, waitMs) {
      const outcome = sessions.find(id)?.push(message) ?? 'gone';
      if (typeof outcome === 'string') {
        observer.pushed('connection', outcome);
        return outcome;
      }
      void outcome.then(count);
      const isOut = waitMs > 0 ? await within(outcome, waitMs) : undefined;
      if (isOut === undefined) return 'on its way';
      return isOut ? 'delivered' : 'gone';
    },
    close(id, status) {
      const session = sessions.find(id);
      session?.end(status);
      return session !== undefined;
    },
    describe: (id) => sessions.find(id)?.describe(),
    publish: (channel, item) => channels.publish(channel, item),
  };
}
