import { startGateway } from './gateway.ts';

/**
 * A gateway in a process of its own (run with --expose-gc), so that its memory is nobody else's: prints its port, and for each
 * line on its input what it holds after garbage collection, in bytes.
 */
const gateway = await startGateway(process.argv[2] ?? '');
console.log(gateway.port);
process.stdin.on('data', function onLine() {
  gc?.();
  gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  console.log(JSON.stringify({ rss, held: heapUsed + external }));
});
