import { randomBytes } from 'node:crypto';
import type { Sample } from '../types.ts';
import { Connection, messageFrame, upgradeRequest } from './connection.ts';
import type { EchoJob, Order } from './load.ts';
import { openAll } from './open.ts';
import { Latencies, measure, type Tally } from './window.ts';

/** Keeps `inFlight` messages under way on each connection, and measures what the peer makes of them. */
export async function echo(order: Order, job: EchoJob): Promise<Sample> {
  await prove(order, job.size);
  const connections = await openAll(order, job.connections);
  const tally: Tally = { count: 0, latencies: new Latencies() };
  const batches = batchesOf(order, job);
  for (const connection of connections) keepUp(connection, batches, job, tally);
  const failed = Promise.race(connections.map((connection) => connection.failed));
  const sample = await measure(tally, order.pid, job, failed);
  return { ...sample, mbps: ((sample.rate ?? 0) * job.size) / 1e6 };
}

/** Sends one random message under a random key, and throws unless the very same bytes come back. */
async function prove({ endpoint, token }: Order, size: number): Promise<void> {
  const connection = await Connection.open(endpoint, upgradeRequest(endpoint, token));
  const message = randomBytes(size);
  const kept = connection.keep();
  const whole = new Promise<void>((resolve) => {
    connection.onPayload = () => {
      if (Buffer.concat(kept).length >= size) resolve();
    };
  });
  connection.socket.write(messageFrame(endpoint, message, randomBytes(4)));
  await Promise.race([whole, connection.failed]);
  if (!Buffer.concat(kept).equals(message)) throw new Error('the echo differs from what was sent');
  await connection.close();
}

/** [k]: k frames in one piece, for k up to the number in flight. All connections send the same bytes. */
function batchesOf({ endpoint }: Order, { inFlight, size }: EchoJob): Buffer[] {
  const frame = messageFrame(endpoint, Buffer.alloc(size, 'sallyport '));
  const all = Buffer.concat(Array.from({ length: inFlight }, () => frame));
  return Array.from({ length: inFlight + 1 }, (_, count) => all.subarray(0, count * frame.length));
}

/** Sends what may be in flight, then one message for each that is back, as many in one write as one read has brought. */
function keepUp(connection: Connection, batches: Buffer[], { inFlight, size }: EchoJob, tally: Tally): void {
  const { socket } = connection;
  const sentAt = new Float64Array(inFlight).fill(performance.now());
  let oldest = 0;
  let got = 0;
  connection.onPayload = function onEcho(bytes) {
    got += bytes;
    if (got < size) return;
    const now = performance.now();
    let back = 0;
    for (; got >= size; got -= size, back++) {
      tally.latencies.add(now - (sentAt[oldest] as number), 1);
      sentAt[oldest] = now;
      oldest = (oldest + 1) % inFlight;
    }
    tally.count += back;
    socket.write(batches[back] as Buffer);
  };
  socket.write(batches[inFlight] as Buffer);
}
