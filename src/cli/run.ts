import { existsSync } from 'node:fs';
import { Argument, Command, CommanderError, Option } from 'commander';
import { readDuration, readPort } from './arguments.ts';
import { CommandError, type Context, EXIT, packageVersion } from './context.ts';
import { exitCodeOf, isExpected } from './failure.ts';
import { forward, forwardCommand } from './forward.ts';
import { key, keyCommand } from './key.ts';
import { kill, killCommand } from './operator/kill.ts';
import { revoke, revokeCommand } from './operator/revoke.ts';
import { sessions, sessionsCommand } from './operator/sessions.ts';
import { upstreams, upstreamsCommand } from './operator/upstreams.ts';
import { socks, socksCommand } from './socks.ts';
import { stdio, stdioCommand } from './stdio.ts';
import { mintToken, tokenCommand } from './token.ts';

/** Where `init` puts one, and the commented one of the package. */
const DEFAULT_FILES = ['sallyport.yaml', 'config/sallyport.yaml'] as const;

/** Adds a command to the program; `end` takes the exit code of one that does not just succeed or throw. */
type AddCommand = (program: Command, context: Context, end: (exitCode: number) => void) => void;

/** In the order of `--help`. What a command needs is imported when it runs, so that a quick one starts quickly. */
const COMMANDS: readonly AddCommand[] = [
  addInit,
  addCheck,
  addServe,
  addHealth,
  addSessions,
  addKill,
  addRevoke,
  addUpstreams,
  addToken,
  addKey,
  addForward,
  addStdio,
  addSocks,
  addDemo,
];

/**
 * Runs the command that the arguments name. Resolves with the exit code: 0, 1 for a failure, 2 for bad usage or a bad
 * configuration. Never rejects.
 */
export async function run(context: Context): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(context);
  for (const add of COMMANDS) add(program, context, end);
  try {
    await program.parseAsync(context.argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, context);
  }

  function end(code: number): void {
    exitCode = code;
  }
}

function createProgram({ stdout, stderr }: Context): Command {
  return new Command('sallyport')
    .description(
      'A WebSocket gateway: TLS, JWTs and limits in front of WebSocket, TCP and long-poll services',
    )
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    });
}

function addInit(program: Command, context: Context): void {
  program
    .command('init')
    .description('write a configuration to start from, which runs as it is; never over anything')
    .argument('[place]', 'folder, or a .yaml file', '.')
    .action(async (place: string) => {
      const { init } = await import('./init.ts');
      await init(context, place);
    });
}

function addCheck(program: Command, context: Context, end: (exitCode: number) => void): void {
  takingFile(program.command('check'), context)
    .description('say what a configuration means, what is dangerous in it, and what is wrong')
    .option('--live', 'also ask its store, upstreams, auth services and key sets; ends with 1 if one fails')
    .option(
      '--send <text>',
      'with --live: also send this message in each session that is tried, which may change things there',
    )
    .action(async (file: string, { live = false, send }: { live?: boolean; send?: string }) => {
      if (send !== undefined && !live) throw new CommandError('--send needs --live', EXIT.usage);
      const { check } = await import('./check.ts');
      const loaded = await check(context, file);
      if (!live) return;
      const { checkLive } = await import('./live.ts');
      end(await checkLive(context, loaded, { file, message: send }));
    });
}

function addServe(program: Command, context: Context, end: (exitCode: number) => void): void {
  takingFile(program.command('serve'), context)
    .description('run the gateway until SIGTERM or SIGINT; a second one does not wait for open connections')
    .action(async (file: string) => {
      const { serve } = await import('./serve.ts');
      end(await serve(context, file));
    });
}

function addHealth(program: Command, context: Context): void {
  takingFile(program.command('health'), context)
    .description('ask the gateway that runs with a configuration whether it is alive; ends with 1 if not')
    .option('--ready', 'whether it takes new connections, too; needs `admin`')
    .addOption(
      new Option('--timeout <duration>', 'for its answer').argParser(readDuration).default(2_000, '2s'),
    )
    .action(async (file: string, options: { ready?: boolean; timeout: number }) => {
      const { health } = await import('./health.ts');
      await health(context, file, options);
    });
}

function addSessions(program: Command, context: Context): void {
  sessionsCommand(takingFile(program.command('sessions'), context)).action(async (file, options) => {
    await sessions(context, file, options);
  });
}

function addKill(program: Command, context: Context): void {
  killCommand(takingFile(program.command('kill'), context)).action(async (file, options) => {
    await kill(context, file, options);
  });
}

function addRevoke(program: Command, context: Context): void {
  revokeCommand(takingFile(program.command('revoke'), context)).action(async (file, options) => {
    await revoke(context, file, options);
  });
}

function addUpstreams(program: Command, context: Context): void {
  upstreamsCommand(takingFile(program.command('upstreams'), context)).action(async (file, options) => {
    await upstreams(context, file, options);
  });
}

function addToken(program: Command, context: Context): void {
  tokenCommand(program.command('token')).action((options) => mintToken(context, options));
}

function addKey(program: Command, context: Context): void {
  keyCommand(program.command('key')).action((name, options) => key(context, name, options));
}

function addForward(program: Command, context: Context, end: (exitCode: number) => void): void {
  forwardCommand(program.command('forward')).action(async (urls, options) =>
    end(await forward(context, urls, options)),
  );
}

function addStdio(program: Command, context: Context, end: (exitCode: number) => void): void {
  stdioCommand(program.command('stdio')).action(async (url, options) =>
    end(await stdio(context, url, options)),
  );
}

function addSocks(program: Command, context: Context, end: (exitCode: number) => void): void {
  socksCommand(program.command('socks')).action(async (url, options) =>
    end(await socks(context, url, options)),
  );
}

function addDemo(program: Command, context: Context, end: (exitCode: number) => void): void {
  program
    .command('demo')
    .description('run the gateway in front of small services, with a page to try it on')
    .option('--port <number>', 'of the gateway; 0 takes any free one', readPort, 8443)
    .action(async (options: { port: number }) => {
      const { demo } = await import('./demo.ts');
      end(await demo(context, options));
    });
}

/** The configuration a command is about: an image or a unit says once which one it is. */
function takingFile(command: Command, { env }: Context): Command {
  const [here, commented] = DEFAULT_FILES;
  const file = env.SALLYPORT_CONFIG || (existsSync(here) ? here : commented);
  return command.addArgument(
    new Argument('[file]', 'configuration').default(
      file,
      `$SALLYPORT_CONFIG, else ${here} if there is one here, else ${commented}`,
    ),
  );
}

/** Tells the person at the terminal; what nobody foresaw with its stack trace. */
function report(error: unknown, { stderr }: Context): number {
  // commander has said it already; help and version come as errors of code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof Error)) throw error;
  stderr.write(`${isExpected(error) ? `sallyport: ${error.message}` : error.stack}\n`);
  return exitCodeOf(error);
}
