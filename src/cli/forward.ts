import { Argument, type Command, Option } from 'commander';
import { shownUrl } from '../http/query.ts';
import { CommandError, type Context, EXIT } from './context.ts';
import { type Door, serveDoors } from './tunnel/doors.ts';
import { maxOption, readUrl, TOKEN_HELP, type TunnelOptions, tunnelOptions } from './tunnel/options.ts';
import { addForwarding, type Forwarding, LOCAL } from './tunnel/places.ts';

export interface ForwardOptions extends TunnelOptions {
  readonly listen: readonly Forwarding[];
  /** Connections at a time. */
  readonly max: number;
}

/** Gives `command` the arguments of `sallyport forward`. */
export function forwardCommand(command: Command): Command {
  command
    .description('make services behind a gateway listen on this machine, for programs that speak plain TCP')
    .addArgument(
      new Argument('[url...]', `each at a free port of ${LOCAL}, which is printed`)
        .argParser(addUrl)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '-L, --listen <[addr:]port:url>',
        'where to listen, and where that leads to; a path in the place of a port is a unix socket; repeatable',
      )
        .argParser(addForwarding)
        .default([], 'none'),
    )
    .addOption(maxOption());
  return tunnelOptions(command).addHelpText('after', HELP);
}

const HELP = `
The address is ${LOCAL} unless it is said, [::1] in brackets; port 0 takes a free one. Whoever uses this machine may connect to a port; a unix
socket (/run/user/1000/db:wss://…) is for those who may write to its file.
${TOKEN_HELP}

Examples:
  sallyport forward -L 5432:wss://gateway.example/db --token-file token   and then: psql -h 127.0.0.1
  sallyport forward -L 6379:wss://gateway.example/redis -L 1883:wss://gateway.example/mqtt --token-command 'get-token'`;

function addUrl(text: string, others: readonly string[]): string[] {
  return [...others, readUrl(text)];
}

/**
 * `sallyport forward`: takes TCP connections on this machine through the gateway until SIGTERM or SIGINT. Resolves with the exit code.
 * Throws CommandError, CertificateError and ListenerError.
 */
export async function forward(
  context: Context,
  urls: readonly string[],
  { listen, max, ...options }: ForwardOptions,
): Promise<number> {
  const forwardings = [...listen, ...urls.map((url) => ({ host: LOCAL, port: 0, url }))];
  if (forwardings.length === 0)
    throw new CommandError('say where to: a URL, or -L PORT:URL; see `sallyport forward --help`', EXIT.usage);
  const { createTunnels } = await import('./tunnel/tunnels.ts');
  const tunnels = createTunnels(
    context,
    options,
    forwardings.map(({ url }) => url),
  );
  try {
    return await serveDoors(context, forwardings.map(doorOf), max);
  } finally {
    await tunnels.close();
  }

  function doorOf({ url, ...place }: Forwarding): Door {
    return {
      ...place,
      to: shownUrl(url),
      serve: ({ socket, traffic, signal, tell }) =>
        tunnels.join({ input: socket, output: socket }, url, {
          traffic,
          signal,
          onOpened: ({ session }) => tell(`opened${session && `, session ${session}`}`),
        }),
    };
  }
}
