import { setImmediate as nextTurn } from 'node:timers/promises';

/** In one turn of the event loop: what else there is to do has its turns between. */
const AT_ONCE = 200;

/** Does this to each, the first at once. Resolves when all have had it. */
export async function inTurns<Item>(items: readonly Item[], act: (item: Item) => void): Promise<void> {
  for (const [at, item] of items.entries()) {
    if (at > 0 && at % AT_ONCE === 0) await nextTurn();
    act(item);
  }
}
