import { readdir, readFile } from 'node:fs/promises';
import module from 'node:module';
import { extname } from 'node:path';

/** The client library and what it speaks: free of Node, so that pages load them as they are. */
const ROOMS = ['client', 'tcp-protocol'];
const SOURCE = new URL('../../', import.meta.url);
/** Of this file, and so of those: `.ts` from source, `.js` when built. */
const EXTENSION = extname(import.meta.url);

/** Gives the JavaScript of one module. */
export type ReadModule = () => Promise<string>;

/**
 * The modules of the client library, by the path a page imports them at: `/sallyport/client/index.js`. From source
 * their imports of each other end in `.ts`, so that each is to be had by that, too; its types are taken out when it is asked for.
 */
export async function clientModules(): Promise<ReadonlyMap<string, ReadModule>> {
  const rooms = ROOMS.map(async (room) => {
    const files = await readdir(new URL(`${room}/`, SOURCE));
    return files.filter((file) => extname(file) === EXTENSION && !file.endsWith('.d.ts')).map(entries);

    function entries(file: string): [string, ReadModule][] {
      const read = () => javascriptOf(new URL(`${room}/${file}`, SOURCE));
      const name = file.slice(0, -EXTENSION.length);
      return ['.js', '.ts'].map((extension) => [`/sallyport/${room}/${name}${extension}`, read]);
    }
  });
  return new Map((await Promise.all(rooms)).flat(2));
}

async function javascriptOf(file: URL): Promise<string> {
  const text = await readFile(file, 'utf8');
  return EXTENSION === '.ts' ? module.stripTypeScriptTypes(text) : text;
}
