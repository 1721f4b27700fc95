import { InvalidArgumentError } from 'commander';
import { readUrl } from './options.ts';

/** Where a command listens on a network. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Where it listens for programs that may use a file. */
export interface SocketFile {
  readonly path: string;
}

/** Where it listens, and where what comes there goes. */
export type Forwarding = (Place | SocketFile) & { readonly url: string };

/** Nobody but this machine, unless told. */
export const LOCAL = '127.0.0.1';

const ADDRESS = String.raw`(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?(\d{1,5})`;

/** Adds one more `[addr:]port:URL`, or `/path:URL`. Throws InvalidArgumentError. */
export function addForwarding(text: string, others: readonly Forwarding[]): Forwarding[] {
  const [, path, to] = /^(\.{0,2}\/[^:]*[^:/]):(.*:\/\/.*)$/.exec(text) ?? [];
  if (path !== undefined && to !== undefined) return [...others, { path, url: readUrl(to) }];
  const [, bracketed, plain, port, url] = new RegExp(`^${ADDRESS}:(.*://.*)$`).exec(text) ?? [];
  if (port === undefined || url === undefined)
    throw new InvalidArgumentError(
      'Expected [ADDRESS:]PORT:URL or /PATH:URL, e.g. 5432:wss://gateway.example/db.',
    );
  return [...others, { ...placeOf(bracketed ?? plain, port), url: readUrl(url) }];
}

/** Reads `[addr:]port`. Throws InvalidArgumentError. */
export function readPlace(text: string): Place {
  const [, bracketed, plain, port] = new RegExp(`^${ADDRESS}$`).exec(text) ?? [];
  if (port === undefined) throw new InvalidArgumentError('Expected [ADDRESS:]PORT, e.g. 1080.');
  return placeOf(bracketed ?? plain, port);
}

function placeOf(host: string | undefined, digits: string): Place {
  const port = Number(digits);
  if (port > 65_535) throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  if (host === '') throw new InvalidArgumentError('Expected an address in front of the first colon.');
  return { host: host ?? LOCAL, port };
}

/** As it is written in URLs; the path of a file. */
export function placeText(place: Place | SocketFile): string {
  if ('path' in place) return place.path;
  const { host, port } = place;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
