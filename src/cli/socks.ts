import { type Command, InvalidArgumentError, Option } from 'commander';
import { shownUrl } from '../http/query.ts';
import type { Context } from './context.ts';
import { serveDoors } from './tunnel/doors.ts';
import { maxOption, readUrl, TOKEN_HELP, type TunnelOptions, tunnelOptions } from './tunnel/options.ts';
import { LOCAL, type Place, placeText, readPlace } from './tunnel/places.ts';
import { type Destination, hearDestination, REPLY, replyOf, replyTo } from './tunnel/socks5.ts';
import type { Visit } from './tunnel/visits.ts';

export interface SocksOptions extends TunnelOptions {
  readonly listen: Place;
  /** Connections at a time. */
  readonly max: number;
}

/** Gives `command` the arguments of `sallyport socks`. */
export function socksCommand(command: Command): Command {
  command
    .description('be a SOCKS 5 proxy on this machine, whose connections go through a gateway')
    .argument(
      '<url>',
      'of a route with targets that clients name, with {host} and {port} in it',
      readTemplate,
    )
    .addOption(
      new Option('-D, --listen <[addr:]port>', 'where to listen')
        .argParser(readPlace)
        .default({ host: LOCAL, port: 1080 }, `${LOCAL}:1080`),
    )
    .addOption(maxOption());
  return tunnelOptions(command).addHelpText('after', HELP);
}

const HELP = `
CONNECT only, without a password. Names are resolved by the gateway, never here: say --socks5-hostname to curl, socks5h:// to others.
${TOKEN_HELP}

Example:
  sallyport socks -D 1080 'wss://gateway.example/to/{host}:{port}' --token-file token
  curl --socks5-hostname 127.0.0.1:1080 http://wiki.internal/`;

/** Reads a URL with places for host and port, which stand behind the gateway's own name: the token goes nowhere else. */
export function readTemplate(text: string): string {
  if (!text.includes('{host}') || !text.includes('{port}'))
    throw new InvalidArgumentError(
      'Expected {host} and {port} in the URL, e.g. wss://gateway.example/{host}:{port}.',
    );
  if (!/^\w+:\/\/[^/?{]+[/?]/.test(text))
    throw new InvalidArgumentError('Expected {host} and {port} in the path or the query only.');
  readUrl(urlFor(text, { host: 'host', port: 1 }));
  return text;
}

function urlFor(template: string, { host, port }: Destination): string {
  const written = host.includes(':') ? `[${host}]` : host;
  return template.replaceAll('{host}', () => written).replaceAll('{port}', String(port));
}

/**
 * `sallyport socks`: serves SOCKS 5 clients through the gateway until SIGTERM or SIGINT. Resolves with the exit code. Throws CommandError,
 * CertificateError and ListenerError.
 */
export async function socks(
  context: Context,
  template: string,
  { listen, max, ...options }: SocksOptions,
): Promise<number> {
  const { createTunnels } = await import('./tunnel/tunnels.ts');
  const tunnels = createTunnels(context, options, [template]);
  try {
    return await serveDoors(context, [{ ...listen, to: shownUrl(template), serve }], max);
  } finally {
    await tunnels.close();
  }

  async function serve({ socket, traffic, signal, tell }: Visit): Promise<void> {
    const destination = await hearDestination(socket, signal);
    const place = placeText(destination);
    let isOpen = false;
    try {
      await tunnels.join({ input: socket, output: socket }, urlFor(template, destination), {
        traffic,
        signal,
        onOpened({ session }) {
          isOpen = true;
          socket.write(replyOf(REPLY.succeeded));
          tell(`opened to ${place}${session && `, session ${session}`}`);
        },
      });
    } catch (error) {
      if (!isOpen) socket.end(replyOf(replyTo(error)));
      throw error;
    }
  }
}
