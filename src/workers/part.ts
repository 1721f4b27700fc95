import type { Part } from '../gateway/part.ts';
import { createSharedStore } from '../store/shared/index.ts';
import { joinCommons } from './commons.ts';
import { countsOf } from './counts.ts';
import { serveDesks } from './desks.ts';
import type { Line } from './line.ts';
import type { Orders } from './orders.ts';
import { ordinalsOf } from './ordinals.ts';
import { ticketKeysFrom } from './tickets.ts';

/** What was not heard of places that are held is said again so often. */
const REPEAT_MS = 5_000;

/** What a worker shares with the others, by its primary. Rejects where the primary is gone. */
export async function takePart(primary: Line, { number, size, ticketSecret }: Orders): Promise<Part> {
  const store = createSharedStore({
    authority: countsOf(primary),
    gateways: () => size,
    now: () => performance.now(),
  });
  const commons = await joinCommons(primary);
  setInterval(() => {
    void store.repeat();
    void commons.repeat();
  }, REPEAT_MS).unref();
  return {
    size,
    store,
    commons,
    ordinals: ordinalsOf(number),
    ticketKeys: ticketKeysFrom(ticketSecret),
    serve: (desks) => serveDesks(primary, desks),
  };
}
