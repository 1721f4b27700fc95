import { resolve } from 'node:path';

/** A unix socket as a target: `unix:/run/app.sock`, or with a base path `unix:/run/app.sock:/base`. Pure. */

export interface UnixTarget {
  readonly socketPath: string;
  /** Path and query that follow it, as written; empty if there are none. */
  readonly base: string;
}

/**
 * Not two slashes, which other programs write (`unix:///run/app.sock`); not `@`, their sign for a socket without a file;
 * not a number, for a host may be called `unix`.
 */
const SPELLING = /^unix:(?!\/\/|@|\d+$)([^\s:?#]+)(?::(\/[^\s#]*))?$/;

/** nginx's spelling, and what people take for it: by its letters the URL of a host called `unix`. */
const FOREIGN = /^\w+:\/\/unix(?::\/|\/\S*\.sock)/i;

/** What fits into `sun_path` with the NUL behind it (unix(7)). */
const MAX_BYTES = 107;

/** Takes a target apart; undefined if it is no unix socket. */
export function readUnix(text: string): UnixTarget | undefined {
  const [, socketPath, base = ''] = SPELLING.exec(text) ?? [];
  return socketPath === undefined ? undefined : { socketPath, base };
}

/** The same target with its path taken from `baseDir`; anything else as it is. */
export function absoluteUnix(text: string, baseDir: string): string {
  const unix = readUnix(text);
  if (unix === undefined) return text;
  return `unix:${resolve(baseDir, unix.socketPath)}${unix.base === '' ? '' : `:${unix.base}`}`;
}

/** Whether a text is how another program spells a unix socket. */
export function isForeignUnix(text: string): boolean {
  return FOREIGN.test(text);
}

/** What is wrong with the path of a socket; undefined if nothing is. */
export function socketFault(path: string): string | undefined {
  if (/[{}*]/.test(path)) return 'the path of a socket is fixed: no {name} and no * may stand in it';
  const bytes = Buffer.byteLength(path);
  return bytes > MAX_BYTES ? `the path of the socket has ${bytes} bytes; at most ${MAX_BYTES}` : undefined;
}
