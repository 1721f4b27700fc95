import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Backchannel } from './backchannel.ts';
import { type Published, readPublication } from './grip.ts';
import { type Answer, json, line, type Page, type Question } from './page.ts';
import { Remembered } from './remembered.ts';

/**
 * `/publish`, as services publish to channels by GRIP: answers as Pushpin does, or to who accepts JSON how many connections each
 * item has reached.
 */
export function publishPage(backchannel: Backchannel): Page {
  const remembered = new Remembered();

  function publish({ channel, id, item }: Published): Promise<number> {
    if (item === undefined) return Promise.resolve(0);
    const now = () => backchannel.publish(channel, item);
    return id === undefined ? now() : remembered.once(channel, id, now);
  }

  /** Each connection gets them in their order. Between two of them others have a turn, and clients take what has come. */
  async function publishAll(items: readonly Published[]): Promise<number[]> {
    const reached: Promise<number>[] = [];
    for (const item of items) {
      reached.push(publish(item));
      await nextTurn();
    }
    return Promise.all(reached);
  }

  async function take({ request, body }: Question): Promise<Answer> {
    const items = readPublication(await body());
    const reached = await publishAll(items);
    if (!/\bapplication\/json\b/i.test(request.headers.accept ?? '')) return line('Published');
    return json({ published: items.map(({ channel }, index) => ({ channel, reached: reached[index] })) });
  }

  return { path: /^\/publish\/?$/, isGuarded: true, methods: { POST: take } };
}
