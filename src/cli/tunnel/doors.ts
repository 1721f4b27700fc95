import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listenError } from '../../listener/error.ts';
import { type Context, EXIT } from '../context.ts';
import { type Place, placeText } from './places.ts';
import { type Serve, Visits } from './visits.ts';

/** A place to listen, and what to do with whom comes there. */
export interface Door extends Place {
  /** Where it leads to. */
  readonly to: string;
  readonly serve: Serve;
}

/**
 * Serves the programs of this machine at these doors, `max` connections at a time, until SIGTERM or SIGINT. Resolves with the exit code.
 * Throws ListenerError.
 */
export async function serveDoors(context: Context, doors: readonly Door[], max: number): Promise<number> {
  const { stdout } = context;
  const visits = new Visits(context, max);
  const servers: Server[] = [];
  try {
    for (const door of doors) {
      const server = await listen(door, (socket) => visits.begin(socket, door.serve));
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
