import { type PollConfig, sessionConfigOf } from '../../config/poll/index.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { Concealment } from '../../upstream/concealment.ts';
import type { Credentials } from '../../upstream/credentials.ts';

/** What stands in place of a text that tells a secret. */
const HIDDEN = '(not shown: it repeats a secret of the configuration)';

/** Headers whose values are to be known to the service alone. */
const SECRET_NAME = /authorization|cookie|token|secret|signature|key\b/i;

/** Compiles what makes of a text from a service one that may be shown: one that repeats a secret of the route is not. */
export function compileHiding(
  route: RouteConfig,
  credentials: Credentials | undefined,
): (text: string) => string {
  const own = new Concealment([]);
  own.hide(secretValues(route));
  const concealments = credentials ? [own, credentials.concealment] : [own];
  return function hidden(text) {
    const bytes = Buffer.from(text);
    const isTold = concealments.some((one) => one.body(bytes, {}).length < bytes.length);
    return isTold ? HIDDEN : text;
  };
}

/** Of the headers that the configuration sets; of `Bearer x` also what stands behind the scheme. */
function secretValues({ upstream }: RouteConfig): string[] {
  const config: PollConfig | undefined = sessionConfigOf(upstream);
  const requests = Object.values(config ?? {}).flatMap((value) => headersIn(value));
  const all = [...Object.entries(upstream.headers?.set ?? {}), ...requests];
  return all.flatMap(([name, value]) => (SECRET_NAME.test(name) ? [value, ...value.split(/\s+/)] : []));
}

/** The headers of a request, or those of all. */
function headersIn(part: unknown): [string, string][] {
  if (typeof part !== 'object' || part === null) return [];
  const { headers, add } = part as { headers?: object; add?: object };
  return Object.entries({ ...headers, ...add }).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
}
