import { type Command, InvalidArgumentError, Option } from 'commander';
import { hashOfKey, makeKey } from '../admission/keys/key.ts';
import { parseDuration } from '../config/units.ts';
import { CommandError, type Context, EXIT } from './context.ts';
import { addClaim } from './token.ts';

interface KeyOptions {
  readonly file?: string;
  /** Milliseconds from now. */
  readonly expires?: number;
  readonly claim: Record<string, unknown>;
  readonly hash?: true;
}

/** Gives `command` the arguments and options of `sallyport key`. */
export function keyCommand(command: Command): Command {
  return command
    .description(
      'make an API key: the key on stdout, the only time it is shown; its entry for auth.keys on stderr',
    )
    .argument('<name>', 'who it belongs to: the subject of what comes with it')
    .option('--file <file>', 'append the entry to this file of keys, which is made if need be')
    .addOption(
      new Option('--expires <duration>', 'from now, like 90d; absent: the key has no end').argParser(
        readExpiry,
      ),
    )
    .addOption(
      new Option('--claim <name=value>', 'what else is known of it, as JSON if it is; repeatable')
        .argParser(addClaim)
        .default({}, 'none'),
    )
    .option('--hash', 'take a random key of at least 128 bits from stdin, in place of a new one');
}

/** `sallyport key NAME`. Throws CommandError for what cannot be used, and then no key has been made. */
export async function key(context: Context, name: string, options: KeyOptions): Promise<void> {
  const given = options.hash ? await readKey(context) : undefined;
  const made = given ?? makeKey();
  const { appendKey, writeEntry } = await import('./key-file.ts');
  const entry = writeEntry(entryOf(name, made, options));
  if (options.file === undefined) context.stderr.write(entry);
  const said = options.file === undefined ? undefined : await appendKey(options.file, entry);
  if (said !== undefined) context.stderr.write(`${said}\n`);
  if (given === undefined) context.stdout.write(`${made}\n`);
}

function entryOf(name: string, made: string, { expires, claim }: KeyOptions): object {
  const end = expires === undefined ? {} : { expires: endAfter(expires) };
  const claims = Object.keys(claim).length === 0 ? {} : { claims: claim };
  return { name, hash: hashOfKey(made), ...end, ...claims };
}

/** The first whole second by which so much time is over. */
function endAfter(ms: number): string {
  const endS = Math.ceil((Date.now() + ms) / 1000);
  return new Date(endS * 1000).toISOString().replace('.000Z', 'Z');
}

const MAX_INPUT = 8 * 1024;

async function readKey({ stdin }: Context): Promise<string> {
  let text = '';
  for await (const chunk of stdin) {
    text += chunk;
    if (text.length > MAX_INPUT) throw usage('--hash: what comes on stdin is longer than 8 KiB');
  }
  const given = text.replace(/\r?\n$/, '');
  const fault = faultOf(given);
  if (fault !== undefined)
    throw usage(
      `--hash: the key on stdin ${fault}; take a random one of at least 128 bits, or leave out --hash`,
    );
  return given;
}

/** How many values a character of a random text has, at least: by the smallest kind of text that it is. */
const KINDS: readonly (readonly [RegExp, number])[] = [
  [/^\d*$/, 10],
  [/^([\da-f]*|[\dA-F]*)$/, 16],
  [/^([\da-z]*|[\dA-Z]*)$/, 36],
  [/^[\dA-Za-z]*$/, 62],
];
const OTHER_KINDS = 64;
const MIN_BITS = 128;
/** Random texts of 128 bits have more different characters than this, all but one in a million. */
const MIN_DIFFERENT = 7;

/** Why a text cannot be a random key; whether it is one, nobody can tell by its looks. */
function faultOf(text: string): string | undefined {
  if (!/^[!-~]+$/.test(text)) return 'is not one line of visible ASCII';
  const values = KINDS.find(([form]) => form.test(text))?.[1] ?? OTHER_KINDS;
  if (text.length * Math.log2(values) < MIN_BITS) return 'is too short';
  return new Set(text).size < MIN_DIFFERENT ? 'is not random' : undefined;
}

/** Ten years at most: further on it is as good as no end. */
const LONGEST_MS = 3_650 * 86_400_000;

function readExpiry(text: string): number {
  const ms = parseDuration(text, LONGEST_MS);
  if (ms === undefined || ms < 1000)
    throw new InvalidArgumentError('Expected a duration like 12h, 90d or 365d.');
  return ms;
}

function usage(message: string): CommandError {
  return new CommandError(message, EXIT.usage);
}
