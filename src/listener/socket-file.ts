import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { ListenerError } from './error.ts';

/** Takes away a unix socket that a program has left which is no more; all else stays. Never rejects. */
export async function clearSocketFile(path: string): Promise<void> {
  const isSocket = await lstat(path).then(
    (stats) => stats.isSocket(),
    () => false,
  );
  if (isSocket && (await isDeserted(path))) await unlink(path).catch(() => {});
}

function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}

/** What the system's refusal to listen at a path comes to. */
export function socketFileError(cause: unknown, path: string): ListenerError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const text: Readonly<Record<string, string>> = {
    EADDRINUSE: `${path} is taken: stop the program that listens there, or choose another path`,
    // Node says the same of a folder that is not there.
    EACCES: `${path} is not permitted: choose a folder that is there, and that you may write to`,
    EINVAL: `${path} is too long for a unix socket: choose a shorter path`,
  };
  return new ListenerError(text[code ?? ''] ?? `cannot listen on ${path}: ${message}`, { cause });
}
