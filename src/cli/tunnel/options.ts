import { type Command, InvalidArgumentError, Option } from 'commander';
import { readDuration } from '../arguments.ts';
import { readProxy } from './proxy.ts';
import type { TlsOptions } from './tls.ts';
import type { TokenOptions } from './token.ts';

export interface TunnelOptions extends TokenOptions, TlsOptions {
  /** The URL of an HTTP proxy, in place of those that the environment names. */
  readonly proxy?: string;
  /** Milliseconds for which a connection that is not made is tried again. */
  readonly retry?: number;
}

/** Gives a command the options that all tunnels have. */
export function tunnelOptions(command: Command): Command {
  return command
    .option('--token-file <file>', 'take the token from it, anew for each connection and before it ends')
    .option('--token-command <cmd>', 'run it by /bin/sh as often: what it writes is the token')
    .option('--ca <file>', 'authorities that may have signed the certificate of the gateway, in PEM form')
    .option('--cert <file>', 'a certificate of yours for a gateway that asks for one, in PEM form')
    .option('--key <file>', 'the private key of that')
    .addOption(
      new Option(
        '--proxy <url>',
        'HTTP proxy on the way; absent: that of $HTTPS_PROXY ($HTTP_PROXY for ws://), but for $NO_PROXY',
      ).argParser(readProxy),
    )
    .addOption(
      new Option(
        '--retry <duration>',
        'try again for so long where a connection is not made, and that may help: a gateway that is away, or busy; absent: once',
      ).argParser(readDuration),
    );
}

/** Where the token is looked for, for the end of a help text. */
export const TOKEN_HELP = `
Without --token-file and --token-command the token is that of $SALLYPORT_TOKEN, if there is one, and ends a connection when it ends. From
a file or a command a new one is asked for in time, and the connection goes on. There is no option for the token itself, since everybody on this
machine could read it; a proxy's password (http://NAME:PASSWORD@HOST:PORT) is better in the environment, too.`;

const MOST = 65_536;

/** How many connections a command carries at a time. */
export function maxOption(): Option {
  return new Option('--max <number>', 'connections at a time; more are refused')
    .argParser(readMax)
    .default(1_024);
}

function readMax(text: string): number {
  const max = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (max < 1 || max > MOST) throw new InvalidArgumentError(`Expected a number from 1 to ${MOST}.`);
  return max;
}

/** Reads the URL of a tunnel. Throws InvalidArgumentError. */
export function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^wss?:$/.test(url.protocol))
    throw new InvalidArgumentError('Expected a URL that begins with wss:// or ws://.');
  if (url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('Expected a URL without a name or password in it.');
  if (url.hash !== '') throw new InvalidArgumentError('Expected a URL without #.');
  return text;
}
