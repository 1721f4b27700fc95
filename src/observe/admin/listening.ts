import { chmod } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listenError } from '../../listener/error.ts';
import { clearSocketFile, socketFileError } from '../../listener/socket-file.ts';

/** Where the admin listener listens: at host and port, or at a unix socket in their place. */
export interface AdminPlace {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port?: number | undefined;
  readonly socket?: string | undefined;
}

/** Nobody but the user of the gateway, and root. */
const OWN = 0o600;

/**
 * Listens. Resolves with the address, undefined for a unix socket, whose file goes when the server closes; one that a
 * gateway has left which is no more is taken over. Rejects with ListenerError.
 */
export async function listenAt(
  server: Server,
  { host, port = 0, socket }: AdminPlace,
): Promise<AddressInfo | undefined> {
  if (socket === undefined) {
    await listening(server, { host, port }, (cause) => listenError(cause, host, port, 'the admin port'));
    return server.address() as AddressInfo;
  }
  await clearSocketFile(socket);
  await listening(server, { path: socket }, (cause) => socketFileError(cause, socket));
  await chmod(socket, OWN).catch((cause) => {
    server.close();
    throw socketFileError(cause, socket);
  });
  return undefined;
}

function listening(
  server: Server,
  where: { host: string; port: number } | { path: string },
  failure: (cause: Error) => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error) => reject(failure(cause));
    server.once('error', onError);
    server.listen(where, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
