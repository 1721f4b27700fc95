import { keyFilesOf } from '../admission/keys/index.ts';
import { openKeys } from '../admission/token/keys.ts';
import { readApiKeys } from '../config/api-keys.ts';
import { isUrl } from '../config/fields.ts';
import type { Config } from '../config/schema.ts';
import { tlsOptions } from '../listener/tls.ts';
import { trustOf } from '../upstream/connect.ts';
import { CommandError, EXIT } from './context.ts';

/**
 * Tries the certificates and key files a configuration names, without a look at the network. Throws CommandError, a
 * line for each that cannot be used.
 */
export async function checkMaterials({ listeners, issuers, routes }: Config): Promise<void> {
  // Async, so that what is thrown is an outcome like the others.
  const listening = listeners.map(async ({ tls }) => tls && tlsOptions(tls));
  const dialling = routes.map(async ({ upstream }) => upstream.tls && trustOf(upstream.tls));
  const keys = Object.values(issuers)
    .filter(({ jwks }) => jwks === undefined || !isUrl(jwks))
    .map((issuer) => openKeys(issuer));
  const apiKeys = keyFilesOf(routes).map((file) => readApiKeys(file));
  const outcomes = await Promise.allSettled([...listening, ...keys, ...apiKeys, ...dialling]);
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
  if (failures.length === 0) return;
  const lines = failures.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason)));
  throw new CommandError(lines.join('\n'), EXIT.usage);
}
