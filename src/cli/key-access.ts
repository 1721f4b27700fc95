import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { CommandError, EXIT } from './context.ts';

/** Who may read a file of API keys: the gateway often runs as another user than the one who makes keys. */

type Owner = Pick<Stats, 'uid' | 'gid'>;
export type Access = Owner & Pick<Stats, 'mode'>;
type Handle = Pick<FileHandle, 'stat' | 'chown' | 'chmod'>;

/** Its owner writes it, its group reads it. */
const MODE = 0o640;

/**
 * Gives the file that is to take the place of `path` the owner, group and mode of the one that is there. Throws CommandError
 * if the system refuses.
 */
export async function keepAccess(next: Handle, path: string, { uid, gid, mode }: Access): Promise<void> {
  const own = await next.stat();
  if (own.uid !== uid || own.gid !== gid)
    await next.chown(uid, gid).catch((cause: NodeJS.ErrnoException) => {
      throw new CommandError(
        `nothing has been written: ${path} belongs to user ${uid} and group ${gid}, and a new file could not be given to them (${cause.code}); run this as that user or as root`,
        EXIT.failure,
        { cause },
      );
    });
  // After chown(2), which may clear bits of it.
  await next.chmod(mode & 0o777);
}

/**
 * Gives a file that is made anew the group of its folder, where the system lets us, for that is often the gateway's. Resolves with
 * what there is to say about who can read it now.
 */
export async function newAccess(next: Handle, path: string, folder: Owner): Promise<string> {
  const { uid, gid } = await next.stat();
  const isGiven = gid === folder.gid || (await next.chown(uid, folder.gid).then(isDone, isRefused));
  await next.chmod(MODE);
  const group = isGiven ? folder.gid : gid;
  return `made ${path}, which user ${uid} and group ${group} can read; if the gateway runs as another user, give the file its group: chgrp GROUP ${path}`;
}

const isDone = () => true;
const isRefused = () => false;
