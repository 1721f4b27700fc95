import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listenError } from '../../listener/error.ts';
import { type Context, EXIT } from '../context.ts';
import type { Traffic } from './carry.ts';
import { type Place, placeText } from './places.ts';
import { sentence } from './sentences.ts';

/** One connection of a program on this machine. */
export interface Visit {
  readonly socket: Socket;
  readonly traffic: Traffic;
  /** Aborts when the command ends. */
  readonly signal: AbortSignal;
  /** A line about it, for a person at the terminal. */
  tell(text: string): void;
}

/** A place to listen, and what to do with whom comes there. */
export interface Door extends Place {
  /** Where it leads to. */
  readonly to: string;
  /** Resolves when both directions have ended; the visitor gets a reset where it rejects. */
  serve(visit: Visit): Promise<void>;
}

/**
 * Serves the programs of this machine at these doors, `max` connections at a time, until SIGTERM or SIGINT. Resolves with the exit code.
 * Throws ListenerError.
 */
export async function serveDoors(context: Context, doors: readonly Door[], max: number): Promise<number> {
  const { stdout } = context;
  const visits = createVisits(context, max);
  const servers: Server[] = [];
  try {
    for (const door of doors) {
      const server = await listen(door, (socket) => visits.begin(socket, door));
      servers.push(server);
      const { port } = server.address() as AddressInfo;
      stdout.write(`${placeText({ host: door.host, port })} -> ${door.to}\n`);
    }
    await signalled(context);
    return EXIT.ok;
  } finally {
    for (const server of servers) server.close();
    await visits.end();
  }
}

function listen(place: Place, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      // Every failure of it comes to whoever reads or writes.
      socket.on('error', () => {});
      onSocket(socket);
    });
    server.once('error', (cause) => reject(listenError(cause, place.host, place.port)));
    server.listen(place.port, place.host, () => {
      // What fails later is one connection that could not be taken.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

function signalled({ onSignal }: Context): Promise<void> {
  return new Promise((resolve) => {
    const undo = onSignal(() => {
      undo();
      resolve();
    });
  });
}

interface Visits {
  begin(socket: Socket, door: Door): void;
  /** Breaks them all, and resolves when they have ended. */
  end(): Promise<void>;
}

function createVisits({ stderr, isErrorTTY }: Context, max: number): Visits {
  const running = new Set<Promise<void>>();
  const stop = new AbortController();
  let isFull = false;
  return { begin, end };

  function begin(socket: Socket, door: Door): void {
    if (running.size >= max) {
      turnAway(socket);
      return;
    }
    isFull = false;
    const visit = run(socket, door).finally(() => running.delete(visit));
    running.add(visit);
  }

  /** Said once, not for each of them. */
  function turnAway(socket: Socket): void {
    socket.resetAndDestroy();
    if (!isFull) stderr.write(`sallyport: more than ${max} connections at a time are refused; see --max\n`);
    isFull = true;
  }

  async function run(socket: Socket, door: Door): Promise<void> {
    const name = placeText({ host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
    const traffic = { up: 0, down: 0 };
    const startMs = performance.now();
    try {
      await door.serve({ socket, traffic, signal: stop.signal, tell });
      socket.destroySoon();
      tell(`ended ${numbers()}`);
    } catch (error) {
      // Who has been told all there is, such as a SOCKS client why not, need not lose it by a reset.
      if (socket.writableEnded) socket.destroySoon();
      else socket.resetAndDestroy();
      if (stop.signal.aborted) return;
      const isTheirs = isGone(error);
      if (isTheirs) tell(`left ${numbers()}`);
      else stderr.write(`sallyport: ${name}: ${sentence(error)}\n`);
    }

    function tell(text: string): void {
      if (isErrorTTY) stderr.write(`${name} ${text}\n`);
    }

    function numbers(): string {
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      return `after ${seconds} s: ${traffic.up} bytes up, ${traffic.down} bytes down`;
    }
  }

  async function end(): Promise<void> {
    stop.abort(new Error('the command ends'));
    await Promise.all(running);
  }
}

/** The program on this machine has broken its connection, which is its own affair. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
