import { openKeys } from '../admission/token/keys.ts';
import { type CredentialConfig, placeOf } from '../config/credentials.ts';
import { isUrl } from '../config/fields.ts';
import type { Config, IssuerConfig } from '../config/schema.ts';
import { readCredential } from '../config/secret.ts';
import { tlsOptions } from '../listener/tls.ts';
import { trustOf } from '../upstream/connect.ts';
import { CommandError, EXIT } from './context.ts';

/** Whether the keys of an issuer are fetched over the network. */
export function hasRemoteKeys({ jwks, discovery }: IssuerConfig): boolean {
  return discovery === true || (jwks !== undefined && isUrl(jwks));
}

/**
 * Tries the certificates, key files and credentials a configuration names, without a look at the network. Throws CommandError, a
 * line for each that cannot be used.
 */
export async function checkMaterials({ listeners, issuers, routes }: Config): Promise<void> {
  // Async, so that what is thrown is an outcome like the others.
  const listening = listeners.map(async ({ tls }) => tls && tlsOptions(tls));
  const dialling = routes.map(async ({ upstream }) => upstream.tls && trustOf(upstream.tls));
  const keys = Object.values(issuers)
    .filter((issuer) => !hasRemoteKeys(issuer))
    .map((issuer) => openKeys(issuer));
  const proving = routes.map(async ({ upstream }) => upstream.credentials?.forEach(tryCredential));
  const outcomes = await Promise.allSettled([...listening, ...keys, ...dialling, ...proving]);
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
  if (failures.length === 0) return;
  const lines = failures.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason)));
  throw new CommandError(lines.join('\n'), EXIT.usage);
}

function tryCredential(credential: CredentialConfig): void {
  const { value } = credential;
  if ('file' in value) readCredential(value.file, placeOf(credential).place);
}
