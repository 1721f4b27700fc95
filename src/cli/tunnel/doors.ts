import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { isLoopback } from '../../http/address.ts';
import { listenError } from '../../listener/error.ts';
import { clearSocketFile, socketFileError } from '../../listener/socket-file.ts';
import { type Context, EXIT } from '../context.ts';
import { LOCAL, type Place, placeText, type SocketFile } from './places.ts';
import { type Serve, Visits } from './visits.ts';

/** A place to listen, and what to do with whom comes there. */
export type Door = (Place | SocketFile) & {
  /** Where it leads to. */
  readonly to: string;
  readonly serve: Serve;
};

/**
 * Serves the programs of this machine at these doors, `max` connections at a time, until SIGTERM or SIGINT. Resolves with the exit code.
 * Throws ListenerError.
 */
export async function serveDoors(context: Context, doors: readonly Door[], max: number): Promise<number> {
  const { stdout, stderr } = context;
  const visits = new Visits(context, max);
  const servers: Server[] = [];
  try {
    for (const door of doors) {
      if ('path' in door) await clearSocketFile(door.path);
      const server = await listen(door, (socket) => visits.begin(socket, nameOf(socket, door), door.serve));
      servers.push(server);
      const place = 'path' in door ? door : { ...door, port: (server.address() as AddressInfo).port };
      stdout.write(`${placeText(place)} -> ${door.to}\n`);
      if ('host' in place && !isLoopback(place.host)) stderr.write(warningOf(place));
    }
    await signalled(context);
    return EXIT.ok;
  } finally {
    for (const server of servers) server.close();
    await visits.end();
  }
}

/** What comes from other machines goes on with the token of whoever has started this. */
function warningOf(place: Place): string {
  const remedy = `write ${LOCAL} unless that is meant`;
  return `sallyport: whoever reaches this machine may connect to ${placeText(place)}, and goes on as you: ${remedy}\n`;
}

function listen(place: Place | SocketFile, onSocket: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      // Every failure of it comes to whoever reads or writes.
      socket.on('error', () => {});
      onSocket(socket);
    });
    server.once('error', (cause) =>
      reject(
        'path' in place ? socketFileError(cause, place.path) : listenError(cause, place.host, place.port),
      ),
    );
    server.listen('path' in place ? { path: place.path } : { host: place.host, port: place.port }, () => {
      // What fails later is one connection that could not be taken.
      server.on('error', () => {});
      resolve(server);
    });
  });
}

/** What lines about a connection call it: files know no addresses. */
function nameOf({ remoteAddress: host, remotePort: port }: Socket, door: Place | SocketFile): string {
  return placeText(host === undefined || port === undefined ? door : { host, port });
}

function signalled({ onSignal }: Context): Promise<void> {
  return new Promise((resolve) => {
    const undo = onSignal(() => {
      undo();
      resolve();
    });
  });
}
