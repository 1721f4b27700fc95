import type { Endpoint, Sample } from '../types.ts';
import { Connection, upgradeRequest } from './connection.ts';
import { clientFrame } from './frames.ts';
import type { CycleJob, Order } from './load.ts';
import { Latencies, measure, type Tally } from './window.ts';

const SIZE = 64;
const FRAME = clientFrame(Buffer.alloc(SIZE));

/** Opens connections and closes them again, each worker one after another, and measures what each costs the peer. */
export async function cycle({ endpoint, token, pid }: Order, job: CycleJob): Promise<Sample> {
  const tally: Tally = { count: 0, latencies: new Latencies() };
  const requests = (job.tokens ?? [token]).map((each) => upgradeRequest(endpoint, each));
  let started = 0;
  async function work(): Promise<never> {
    for (;;) {
      const from = performance.now();
      const request = requests[started++ % requests.length] as string;
      await once(endpoint, request, job.echo);
      tally.count++;
      tally.latencies.add(performance.now() - from, 1);
    }
  }
  const failed = Promise.race(Array.from({ length: job.workers }, work));
  return measure(tally, pid, job, failed);
}

/** One connection from its first packet to its last. */
async function once(endpoint: Endpoint, request: string, echo: boolean): Promise<void> {
  const connection = await Connection.open(endpoint, request);
  if (echo) await echoed(connection);
  await connection.close();
}

async function echoed(connection: Connection): Promise<void> {
  let got = 0;
  const back = new Promise<void>((resolve) => {
    connection.onPayload = (bytes) => {
      got += bytes;
      if (got >= SIZE) resolve();
    };
  });
  connection.socket.write(FRAME);
  await Promise.race([back, connection.failed]);
}
