import type { HttpRequest, HttpTarget } from '../../upstream/client.ts';
import type { HttpPool } from '../../upstream/http-pool.ts';
import type { Ending } from '../contract.ts';
import type { Goodbyes } from './goodbyes.ts';
import type { Opened } from './opening.ts';
import type { Profile } from './profile.ts';

export interface LeavingDeps {
  /** Gives the session's place back. */
  readonly http: Pick<HttpPool<HttpTarget>, 'release'>;
  readonly goodbyes: Goodbyes;
}

/** Tells the service of the end, if it wants to be told; its place is given back, and this resolves, when that is done. Never rejects. */
export async function leave(
  { lease, http, profile }: Opened,
  deps: LeavingDeps,
  ending?: Ending,
): Promise<void> {
  const request = goodbyeOf(profile, ending);
  if (request !== undefined)
    await new Promise<void>((resolve) => deps.goodbyes.say({ http, request, onDone: resolve }));
  deps.http.release(lease);
}

/** A profile that cannot say it must not keep the session from its end. */
function goodbyeOf(profile: Profile, ending?: Ending): HttpRequest | undefined {
  try {
    return profile.close(ending);
  } catch {
    return undefined;
  }
}
