import type { Socket } from 'node:net';
import type { Endpoint, Sample } from '../types.ts';
import { dial, shared, upgradeRequest } from './connection.ts';
import { CLOSE, type ControlListener, clientFrame, PayloadCounter, pong } from './frames.ts';
import type { CycleJob, Order } from './load.ts';
import { Latencies, measure, type Tally } from './window.ts';

const SIZE = 64;
const FRAME = clientFrame(Buffer.alloc(SIZE));

/** Opens connections and closes them again, each worker one after another, and measures what each costs the peer. */
export async function cycle({ endpoint, token, pid }: Order, job: CycleJob): Promise<Sample> {
  const tally: Tally = { count: 0, latencies: new Latencies() };
  const requests = (job.tokens ?? [token]).map((each) => upgradeRequest(endpoint, each));
  let started = 0;
  const nextRequest = () => requests[started++ % requests.length] as string;
  const failed = new Promise<never>((_resolve, reject) => {
    const plan = { endpoint, nextRequest, echo: job.echo, tally, fail: reject };
    for (let worker = 0; worker < job.workers; worker++) new Worker(plan).open();
  });
  return measure(tally, pid, job, failed);
}

/** What all workers have in common. */
interface Plan {
  endpoint: Endpoint;
  nextRequest(): string;
  echo: boolean;
  tally: Tally;
  fail(error: Error): void;
}

/**
 * Takes one connection after another from its first packet to its last: the next begins when the peer has ended the one
 * before. It costs a core that the services share, so it goes by callbacks, made once, and not by promises.
 */
class Worker implements ControlListener {
  readonly #plan: Plan;
  readonly #onread = { buffer: shared, callback: (length: number) => this.#onRead(length) };
  readonly #onEnd = () => this.#ended();
  #socket!: Socket;
  #counter!: PayloadCounter;
  /** What has come of the response's head; undefined once it is whole. */
  #head: string | undefined;
  /** Payload bytes still to come. */
  #due = 0;
  #leaving = false;
  #from = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  open(): void {
    const { endpoint, nextRequest, echo, fail } = this.#plan;
    this.#from = performance.now();
    this.#counter = new PayloadCounter(this);
    this.#head = '';
    this.#due = echo ? SIZE : 0;
    this.#leaving = false;
    this.#socket = dial(endpoint, this.#onread).on('end', this.#onEnd).on('error', fail);
    this.#socket.write(nextRequest(), 'latin1');
  }

  onPing(payload: Buffer): void {
    this.#socket.write(pong(payload));
  }

  /** The peer, as a server, is to end the connection: RFC 6455, section 7.1.1. */
  onClose(payload: Buffer): void {
    if (!this.#leaving) this.#plan.fail(new Error(`closed: ${payload.subarray(2)}`));
  }

  #onRead(length: number): true {
    if (this.#head === undefined) this.#onFrames(shared, length);
    else this.#onHead(this.#head + shared.toString('latin1', 0, length));
    return true;
  }

  #onHead(head: string): void {
    const end = head.indexOf('\r\n\r\n');
    this.#head = head;
    if (end < 0) return;
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.#plan.fail(new Error(head.slice(0, head.indexOf('\r\n'))));
      return;
    }
    this.#head = undefined;
    if (this.#due > 0) this.#socket.write(FRAME);
    else this.#leave();
    if (end + 4 < head.length) this.#onFrames(Buffer.from(head.slice(end + 4), 'latin1'));
  }

  #onFrames(bytes: Buffer, length = bytes.length): void {
    const payload = this.#counter.count(bytes, length);
    if (payload === 0 || this.#due === 0) return;
    this.#due -= payload;
    if (this.#due <= 0) this.#leave();
  }

  #leave(): void {
    this.#leaving = true;
    this.#socket.write(CLOSE);
  }

  #ended(): void {
    const { tally, fail } = this.#plan;
    if (!this.#leaving) {
      fail(new Error('the connection ended'));
      return;
    }
    this.#socket.destroy();
    tally.count++;
    tally.latencies.add(performance.now() - this.#from, 1);
    this.open();
  }
}
