import { keyFilesOf } from '../../admission/keys/index.ts';
import { openKeys } from '../../admission/token/keys.ts';
import { type ApiKey, readApiKeys } from '../../config/api-keys.ts';
import { placeOf } from '../../config/credentials.ts';
import { isUrl } from '../../config/fields.ts';
import { keysRemedy } from '../../config/files.ts';
import { ConfigError, type Finding, type Path } from '../../config/problem.ts';
import type { Config, IssuerConfig, RouteConfig } from '../../config/schema.ts';
import { readCredential } from '../../config/secret.ts';
import { faultsOf, type Trial } from './trial.ts';

/** Whether the keys of an issuer are fetched over the network. */
export function hasRemoteKeys({ jwks, discovery }: IssuerConfig): boolean {
  return discovery === true || (jwks !== undefined && isUrl(jwks));
}

/** What is wrong with the files of issuers' keys, API keys and credentials. Never rejects. */
export function keyFaults({ issuers, routes }: Config): Promise<Finding[]> {
  const keys = Object.entries(issuers)
    .filter(([, issuer]) => !hasRemoteKeys(issuer))
    .map(([name, issuer]) => ({ path: keyPath(name, issuer), run: () => openKeys(issuer) }));
  const apiKeys = keyFilesOf(routes).map((file) => ({
    path: fileOfKeys(routes, file),
    run: () => readKeys(file),
  }));
  return faultsOf([...keys, ...apiKeys, ...routes.flatMap(credentials)]);
}

function keyPath(name: string, { jwks, publicKey }: IssuerConfig): Path {
  const kind = jwks === undefined ? 'secret' : 'jwks';
  return ['issuers', name, publicKey === undefined ? kind : 'publicKey'];
}

/** Where the configuration first names a file of API keys. */
function fileOfKeys(routes: readonly RouteConfig[], file: string): Path {
  const index = routes.findIndex(({ auth }) => auth !== 'none' && auth.keys === file);
  return ['routes', index, 'auth', 'keys'];
}

async function readKeys(file: string): Promise<void> {
  try {
    await readApiKeys(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(file, error.problems.map(withRemedy), { cause: error });
  }

  /** No entry is wrong, but the whole. */
  function withRemedy(problem: ConfigError['problems'][number]) {
    return problem.path === '' ? { ...problem, hint: `once it is away, ${keysRemedy(file)}` } : problem;
  }
}

function credentials({ upstream }: RouteConfig, index: number): Trial[] {
  return (upstream.credentials ?? []).flatMap((credential, at) => {
    const { value } = credential;
    if (!('file' in value)) return [];
    const path = ['routes', index, 'upstream', 'credentials', at, 'value'];
    return [{ path, run: () => readCredential(value.file, placeOf(credential).place) }];
  });
}

/** API keys that nobody comes in with any more; all files can be used. */
export async function expiredKeys({ routes }: Config, now: number = Date.now()): Promise<Finding[]> {
  const found = keyFilesOf(routes).map(async (file) => {
    const names = (await readApiKeys(file)).filter(hasEnded).map(({ name }) => name);
    if (names.length === 0) return [];
    const message = `keys in ${file} have expired: ${listed(names)}`;
    return [{ path: fileOfKeys(routes, file), message, hint: 'take them out' }];
  });
  return (await Promise.all(found)).flat();

  function hasEnded({ expires = Infinity }: ApiKey): boolean {
    return expires <= now;
  }
}

const MAX_LISTED = 5;

function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
