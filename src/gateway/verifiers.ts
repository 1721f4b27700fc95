import type { Logger } from 'pino';
import { createVerifier, type OpenedVerifier } from '../admission/token/verifier.ts';
import type { Config } from '../config/schema.ts';
import type { Closers } from './closers.ts';

/** Opens the issuers of a configuration, by their names. Rejects with an Error if a file of keys cannot be used. */
export async function openVerifiers(config: Config, logger: Logger, closers: Closers) {
  const verifiers = new Map<string, OpenedVerifier>();
  for (const [name, issuer] of Object.entries(config.issuers)) {
    const verifier = await createVerifier(issuer, { logger: logger.child({ issuer: name }) });
    verifiers.set(name, verifier);
    closers.add(() => verifier.close());
  }
  return verifiers;
}
