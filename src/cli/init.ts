import { randomBytes } from 'node:crypto';
import { mkdir, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CommandError, type Context } from './context.ts';
import { nextSteps, starter } from './init/texts.ts';
import { startedBy } from './started-by.ts';

/** RFC 7518 §3.2: a key of HS256 has 256 bits or more. */
const SECRET_BYTES = 32;

/**
 * `sallyport init [DIR|FILE]`: writes a configuration that runs as it is, and the secret of its tokens beside it, and says
 * how to go on. Throws CommandError, and leaves everything as it was, where either is there already or cannot be written.
 */
export async function init(context: Context, place: string): Promise<void> {
  const { folder, ...started } = startedBy(context.env);
  // As it is, where a shell stands there: the commands that are told stay short.
  const from = folder === undefined ? place : resolve(folder, place);
  const config = /\.ya?ml$/.test(from) ? from : join(from, 'sallyport.yaml');
  const secret = config.replace(/\.ya?ml$/, '.secret');
  await makeFolder(dirname(config));
  await write(secret, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, 0o600);
  try {
    await write(config, starter(basename(secret)), 0o644);
  } catch (error) {
    await unlink(secret);
    throw error;
  }
  context.stdout.write(nextSteps(config, secret, started));
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(`cannot make the folder ${folder} (${cause.code}); nothing was written`);
  });
}

/** Never over a file that is there, whoever made it, and when. */
async function write(file: string, text: string, mode: number): Promise<void> {
  await writeFile(file, text, { mode, flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EEXIST' ? 'is there already' : `cannot be written (${cause.code})`;
    throw new CommandError(`${file} ${why}; nothing was written`, undefined, { cause });
  });
}
