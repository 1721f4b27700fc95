import { readRevocationFile } from '../../admission/revocation-file.ts';
import { ConfigError, type Finding } from '../../config/problem.ts';
import type { Config } from '../../config/schema.ts';
import { faultsOf } from './trial.ts';

/** What is wrong with the file that lists revocations, and with its lines. Never rejects. */
export function revocationFaults({ revocations: file, issuers }: Config): Promise<Finding[]> {
  if (file === undefined) return Promise.resolve([]);
  return faultsOf([{ path: ['revocations'], run: () => tryFile(file) }]);

  async function tryFile(name: string): Promise<void> {
    const { problems } = await readRevocationFile(name, issuers);
    if (problems.length > 0) throw new ConfigError(name, problems);
  }
}
