import { type ExecFileException, execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Token } from '../../client/index.ts';
import { CommandError, type Context, EXIT } from '../context.ts';

/** Where a token comes from. Never from an argument: `ps` would show it to everybody. */
export interface TokenOptions {
  /** Read anew for each connection, and before the token that holds ends. */
  readonly tokenFile?: string;
  /** Run as often, by /bin/sh; what it writes is the token. */
  readonly tokenCommand?: string;
}

/** Less than a connection has to open. */
const COMMAND_MS = 20_000;
/** More than any token. */
const MAX_OUTPUT = 64 * 1024;
/** Of what a command that fails has said. */
const MAX_SAID = 1_000;

/**
 * The token of the options, else of SALLYPORT_TOKEN; undefined if there is none. What it rejects with begins with the name of its
 * source. Throws CommandError for two at a time.
 */
export function tokenSource(
  { tokenFile, tokenCommand }: TokenOptions,
  { env }: Pick<Context, 'env'>,
): Token | undefined {
  if (tokenFile !== undefined && tokenCommand !== undefined)
    throw new CommandError('--token-file and --token-command exclude one another', EXIT.usage);
  if (tokenFile !== undefined) return () => fromFile(tokenFile);
  if (tokenCommand !== undefined) return oneAtATime(() => fromCommand(tokenCommand, env));
  return env.SALLYPORT_TOKEN ? proved(env.SALLYPORT_TOKEN, 'SALLYPORT_TOKEN') : undefined;
}

async function fromFile(file: string): Promise<string> {
  const bytes = createReadStream(file, { end: MAX_OUTPUT - 1 });
  const written = await text(bytes).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(`--token-file: cannot read ${file} (${cause.code})`, EXIT.failure, { cause });
  });
  return proved(written, `--token-file: ${file}`);
}

/** What a command writes, within `ms`. Rejects with CommandError, and what the command has complained of. */
export function fromCommand(command: string, env: Context['env'], ms = COMMAND_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    // Whoever asks is not kept waiting by a command that does not heed it.
    const options = { env, timeout: ms, maxBuffer: MAX_OUTPUT, killSignal: 'SIGKILL' as const };
    const child = execFile('/bin/sh', ['-c', command], options, (error, stdout, stderr) => {
      if (error !== null) reject(new CommandError(`--token-command: ${howItFailed(error, stderr, ms)}`));
      else resolve(provedLater(stdout));
    });
    child.stdin?.on('error', () => {}).end();
  });
}

/** Rejects where `proved` throws. */
async function provedLater(text: string): Promise<string> {
  return proved(text, '--token-command: its output');
}

function howItFailed(
  { code, signal, killed, message }: ExecFileException,
  stderr: string,
  ms: number,
): string {
  const said = stderr.trim().slice(-MAX_SAID);
  const because = said === '' ? '' : `: ${said}`;
  if (typeof code === 'number') return `it ended with ${code}${because}`;
  if (killed) return `it took longer than ${ms / 1000} s${because}`;
  return signal ? `it was ended by ${signal}${because}` : `${message}${because}`;
}

/** A token is one word (RFC 6750 §2.1), and anything else would break the header field it goes into. */
function proved(text: string, source: string): string {
  const token = text.trim();
  if (token === '') throw new CommandError(`${source} is empty: there is no token in it`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new CommandError(`${source} is no token: it has blanks, lines or other signs in it`);
  return token;
}

/** Those that ask while it runs get what comes of that: many connections begin at once. */
function oneAtATime(run: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined;
  return function ask() {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}
