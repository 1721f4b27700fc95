import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { CertificateError } from '../config/certificate.ts';
import { ConfigError } from '../config/problem.ts';
import { ListenerError } from '../listener/error.ts';
import { LogFileError } from '../observe/file-queue.ts';
import { check } from './check.ts';
import { CommandError, type Context, EXIT, packageVersion } from './context.ts';
import { mintToken, tokenCommand } from './token.ts';

const DEFAULT_FILE = 'config/sallyport.yaml';

/** Adds a command to the program; `end` takes the exit code of one that does not just succeed or throw. */
type AddCommand = (program: Command, context: Context, end: (exitCode: number) => void) => void;

/** In the order of `--help`. */
const COMMANDS: readonly AddCommand[] = [addServe, addCheck, addToken, addDemo];

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

function addServe(program: Command, context: Context, end: (exitCode: number) => void): void {
  program
    .command('serve')
    .description('run the gateway until SIGTERM or SIGINT; a second one does not wait for open connections')
    .argument('[file]', 'configuration', DEFAULT_FILE)
    .action(async (file: string) => {
      const { serve } = await import('./serve.ts');
      end(await serve(context, file));
    });
}

function addCheck(program: Command, context: Context): void {
  program
    .command('check')
    .description('say what a configuration means, what is dangerous in it, and what is wrong')
    .argument('[file]', 'configuration', DEFAULT_FILE)
    .action((file: string) => check(context, file));
}

function addToken(program: Command, context: Context): void {
  tokenCommand(program.command('token')).action((options) => mintToken(context, options));
}

function addDemo(program: Command, context: Context, end: (exitCode: number) => void): void {
  program
    .command('demo')
    .description('run the gateway in front of three small services, with a page to try it on')
    .option('--port <number>', 'of the gateway; 0 takes any free one', readPort, 8443)
    .action(async (options: { port: number }) => {
      const { demo } = await import('./demo.ts');
      end(await demo(context, options));
    });
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  return port;
}

/** Tells the person at the terminal; what nobody foresaw with its stack trace. */
function report(error: unknown, { stderr }: Context): number {
  // commander has said it already; help and version come as errors of code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof Error)) throw error;
  stderr.write(`${isExpected(error) ? `sallyport: ${error.message}` : error.stack}\n`);
  if (error instanceof ConfigError) return EXIT.usage;
  return error instanceof CommandError ? error.exitCode : EXIT.failure;
}

/** Failures whose message is enough: ours, and those of the operating system. */
function isExpected(error: Error): boolean {
  const isOurs = [CommandError, ConfigError, CertificateError, ListenerError, LogFileError].some(
    (kind) => error instanceof kind,
  );
  return isOurs || 'syscall' in error;
}
