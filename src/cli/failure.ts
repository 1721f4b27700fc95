import { CertificateError } from '../config/certificate.ts';
import { ConfigError } from '../config/problem.ts';
import { CredentialError } from '../config/secret.ts';
import { ListenerError } from '../listener/error.ts';
import { LogFileError } from '../observe/file-queue.ts';
import { CrewError } from '../workers/crew.ts';
import { CommandError, EXIT } from './context.ts';

/** Failures whose message is enough: ours, and those of the operating system. */
export function isExpected(error: Error): boolean {
  const isOurs = [
    CommandError,
    ConfigError,
    CertificateError,
    CredentialError,
    CrewError,
    ListenerError,
    LogFileError,
  ].some((kind) => error instanceof kind);
  return isOurs || 'syscall' in error;
}

/** What a command ends with that has failed so. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT.usage;
  const isTold = error instanceof CommandError || error instanceof CrewError;
  return isTold ? error.exitCode : EXIT.failure;
}
