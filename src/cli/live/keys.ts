import { openKeys } from '../../admission/token/keys.ts';
import type { Config, IssuerConfig } from '../../config/schema.ts';
import { shownUrl } from '../../http/query.ts';
import { REMEDIES_OF_URLS, tlsFault } from '../../tls-fault.ts';
import { hasRemoteKeys } from '../materials/keys.ts';
import type { Trial } from './trial.ts';

/** The key sets that are fetched over the network, one trial for each issuer. */
export function keyTrials({ issuers }: Pick<Config, 'issuers'>): Trial[] {
  return Object.entries(issuers)
    .filter(([, issuer]) => hasRemoteKeys(issuer))
    .map(([name, issuer]) => ({
      target: shownUrl(issuer.jwks ?? issuer.issuer),
      of: `issuer ${name}`,
      run: (signal) => fetchKeys(issuer, signal),
    }));
}

async function fetchKeys(issuer: IssuerConfig, signal: AbortSignal): Promise<string> {
  let failure: unknown;
  // Who opens keys goes on without them, and tells only the log why.
  const logger = {
    info() {},
    warn({ cause }: { cause?: string }) {
      failure ??= new Error(cause);
    },
  };
  const keys = await openKeys(issuer, { logger, fetch: ask });
  try {
    return await countKeys(issuer, keys);
  } catch (error) {
    throw failure ?? error;
  } finally {
    keys.close();
  }

  /** An error tells more than the log does. */
  async function ask(...[url, init]: Parameters<typeof fetch>): Promise<Response> {
    try {
      return await fetch(url, within(signal, init));
    } catch (thrown) {
      failure = tlsFault(thrown, REMEDIES_OF_URLS);
      throw thrown;
    }
  }
}

function within(signal: AbortSignal, init: RequestInit = {}): RequestInit {
  return { ...init, signal: init.signal ? AbortSignal.any([signal, init.signal]) : signal };
}

async function countKeys({ algorithms }: IssuerConfig, keys: Awaited<ReturnType<typeof openKeys>>) {
  const found = await Promise.all(algorithms.map((alg) => keys.find({ alg, kid: undefined })));
  const count = new Set(found.flat()).size;
  return `${count} ${count === 1 ? 'key' : 'keys'} for ${algorithms.join(', ')}`;
}
