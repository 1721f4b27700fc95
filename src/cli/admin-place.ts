import type { AdminConfig } from '../config/admin.ts';
import { CommandError } from './context.ts';

/** Where a command asks a gateway, as `node:http` takes it. */
export type AskedPlace = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** That of the admin listener. Throws CommandError for any port. */
export function adminPlace({ host, port = 0, socket }: AdminConfig): AskedPlace {
  return socket === undefined ? portPlace(host, port, 'admin.port') : { socketPath: socket };
}

/** A host and port that `name` of the configuration gives. Throws CommandError for any port. */
export function portPlace(host: string, port: number, name: string): AskedPlace {
  if (port === 0)
    throw new CommandError(
      `${name} is 0, any free one, and only the gateway's log says which: give it a number`,
    );
  // `::` takes IPv4 too, and is 0.0.0.0 on a machine without IPv6.
  return { host: /^(0\.0\.0\.0|[0:]+)$/.test(host) ? '127.0.0.1' : host, port };
}

/** As people write it: `127.0.0.1:9090`, `unix:/run/admin.sock`. */
export function placeName(place: AskedPlace): string {
  if ('socketPath' in place) return `unix:${place.socketPath}`;
  return `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`;
}
