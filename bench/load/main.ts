import { cycle } from './cycle.ts';
import { echo } from './echo.ts';
import type { Answer, Order } from './load.ts';
import { openAll } from './open.ts';

/** The load process: takes one order from its parent, answers it, and stays until it is ended. */

process.once('message', (order: Order) => void obey(order));
process.once('disconnect', () => process.exit());

async function obey(order: Order): Promise<void> {
  try {
    process.send?.(await answer(order));
  } catch (error) {
    process.send?.({ error: String(error) } satisfies Answer);
  }
}

async function answer(order: Order): Promise<Answer> {
  const { job } = order;
  if (job.type === 'echo') return { sample: await echo(order, job) };
  if (job.type === 'cycle') return { sample: await cycle(order, job) };
  const connections = await openAll(order, job.connections, ({ socket }) => {
    if (!job.read) socket.pause();
  });
  return { open: connections.length };
}
