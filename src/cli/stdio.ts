import type { Command } from 'commander';
import { CommandError, type Context, EXIT } from './context.ts';
import { readUrl, TOKEN_HELP, type TunnelOptions, tunnelOptions } from './tunnel/options.ts';
import { sentence } from './tunnel/sentences.ts';

/** Gives `command` the arguments of `sallyport stdio`. */
export function stdioCommand(command: Command): Command {
  command
    .description('carry stdin and stdout to a service behind a gateway, as the ProxyCommand of ssh does')
    .argument('<url>', 'WebSocket URL of the route', readUrl);
  return tunnelOptions(command).addHelpText('after', HELP);
}

const HELP = `
The exit code is 0 when both directions have ended, and 1 when the connection was not made or has broken; stderr says why.
${TOKEN_HELP}

In ~/.ssh/config:
  Host internal
    ProxyCommand sallyport stdio wss://gateway.example/ssh --token-command 'get-token'`;

/** `sallyport stdio`: nothing but the service's bytes goes to stdout. Resolves with the exit code. Throws CommandError and CertificateError. */
export async function stdio(context: Context, url: string, options: TunnelOptions): Promise<number> {
  const { createTunnels } = await import('./tunnel/tunnels.ts');
  const tunnels = createTunnels(context, options, [url]);
  const stop = new AbortController();
  const abort = () => stop.abort(new Error('the command was told to end'));
  // ssh ends its ProxyCommand by SIGHUP.
  const undo = [context.onSignal(abort), context.onReload(abort)];
  try {
    const traffic = { up: 0, down: 0 };
    await tunnels.join(context.pipe(), url, { traffic, signal: stop.signal, onOpened: () => {} });
    return EXIT.ok;
  } catch (error) {
    if (stop.signal.aborted) return EXIT.failure;
    throw new CommandError(sentence(error), EXIT.failure, { cause: error });
  } finally {
    await tunnels.close();
    for (const each of undo) each();
  }
}
