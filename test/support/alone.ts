import { setTimeout as wait } from 'node:timers/promises';
import { startGateway } from './gateway.ts';

/**
 * A gateway in a process of its own (run with --expose-gc), so that its memory is nobody else's: prints its port, and for each
 * line on its input what it holds after garbage collection, in bytes.
 */
const gateway = await startGateway(process.argv[2] ?? '');
console.log(gateway.port);
process.stdin.on('data', async function onLine() {
  await collected();
  const { rss, heapUsed, external } = process.memoryUsage();
  console.log(JSON.stringify({ rss, held: heapUsed + external }));
});

/** What was collected goes back to the system in the background, late on a busy machine: resolves when it falls no more. */
async function collected(): Promise<void> {
  let least = Infinity;
  for (let still = 0; still < 5; still++) {
    gc?.();
    const { rss } = process.memoryUsage();
    if (rss < least) still = 0;
    least = Math.min(least, rss);
    await wait(20);
  }
}
