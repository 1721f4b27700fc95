import { keyFilesOf } from '../admission/keys/index.ts';
import { openKeys } from '../admission/token/keys.ts';
import { readApiKeys } from '../config/api-keys.ts';
import { readAuthorities, readIdentity } from '../config/certificate.ts';
import { type CredentialConfig, placeOf } from '../config/credentials.ts';
import { isUrl } from '../config/fields.ts';
import type { Finding, Path } from '../config/problem.ts';
import type { Config, IssuerConfig, ListenerConfig, RouteConfig } from '../config/schema.ts';
import { readCredential } from '../config/secret.ts';
import { openTls } from '../listener/tls.ts';
import { trustSource } from '../upstream/connect.ts';
import { endingMessage } from '../watched-certificates.ts';
import { CommandError, EXIT } from './context.ts';

/** Whether the keys of an issuer are fetched over the network. */
export function hasRemoteKeys({ jwks, discovery }: IssuerConfig): boolean {
  return discovery === true || (jwks !== undefined && isUrl(jwks));
}

/**
 * Tries the certificates, key files and credentials a configuration names, without a look at the network; returns what there
 * is to say about those that can be used. Throws CommandError, a line for each that cannot.
 */
export async function checkMaterials(config: Config): Promise<Finding[]> {
  const { listeners, issuers, routes } = config;
  // Async, so that what is thrown is an outcome like the others.
  const listening = listeners.map(async ({ tls, ...at }) => tls && openTls({ ...at, tls }));
  const dialling = routes.map(async ({ upstream }) => upstream.tls && trustSource(upstream.tls).read());
  const keys = Object.values(issuers)
    .filter((issuer) => !hasRemoteKeys(issuer))
    .map((issuer) => openKeys(issuer));
  const apiKeys = keyFilesOf(routes).map((file) => readApiKeys(file));
  const proving = routes.map(async ({ upstream }) => upstream.credentials?.forEach(tryCredential));
  const outcomes = await Promise.allSettled([...listening, ...keys, ...apiKeys, ...dialling, ...proving]);
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
  if (failures.length === 0) return endings(config);
  const lines = failures.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason)));
  throw new CommandError(lines.join('\n'), EXIT.usage);
}

function tryCredential(credential: CredentialConfig): void {
  const { value } = credential;
  if ('file' in value) readCredential(value.file, placeOf(credential).place);
}

/** Certificates that are about to expire. */
function endings({ listeners, routes }: Config): Finding[] {
  return [...listeners.flatMap(listenerEndings), ...routes.flatMap(upstreamEndings)];
}

function listenerEndings({ tls }: ListenerConfig, index: number): Finding[] {
  if (tls === undefined) return [];
  const path = ['listeners', index, 'tls'];
  const own = tls.certificates.flatMap((files, at) =>
    ending([...path, 'certificates', at, 'cert'], readIdentity(files).expiresAt),
  );
  const { clientCa } = tls;
  return clientCa ? [...own, ...ending([...path, 'clientCa'], readAuthorities(clientCa).expiresAt)] : own;
}

function upstreamEndings({ upstream: { tls } }: RouteConfig, index: number): Finding[] {
  if (tls?.cert === undefined || tls.key === undefined) return [];
  const { expiresAt } = readIdentity({ cert: tls.cert, key: tls.key });
  return ending(['routes', index, 'upstream', 'tls', 'cert'], expiresAt);
}

function ending(path: Path, expiresAt: number): Finding[] {
  const message = endingMessage(expiresAt);
  return message === undefined ? [] : [{ path, message }];
}
