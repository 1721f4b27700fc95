import { REMEDIES_OF_URLS, tlsFault } from '../../tls-fault.ts';

/** How much of an answer is read: sets of keys have a few KiB. */
const MAX_BYTES = 64 * 1024;

/** Fetches the text at a URL. Rejects with an Error for anything but a 200 of at most 64 KiB. */
export async function download(
  url: URL,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<string> {
  // A redirect could lead anywhere, plain text included: whoever moves a document changes the configuration.
  const init: RequestInit = { redirect: 'manual', signal, headers: { accept: 'application/json' } };
  const response = await fetch(url, init).catch((thrown) => {
    throw tlsFault(thrown, REMEDIES_OF_URLS);
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`${placeOf(url)} answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`${placeOf(url)} answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Without its query, which may carry a key. */
function placeOf({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
