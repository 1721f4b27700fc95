import { inOrder, type ParsedConfig } from '../config/load.ts';
import { ConfigError, type Problem } from '../config/problem.ts';
import { certificateFaults, endings } from './materials/certificates.ts';
import { expiredKeys, keyFaults } from './materials/keys.ts';
import { revocationFaults } from './materials/revocations.ts';
import { tableFaults } from './materials/tables.ts';

/**
 * Tries the certificates, key files, tables of targets, credentials and revocations that the configuration in `file` names, without a look at the network;
 * resolves with what there is to say about those that can be used. Rejects with ConfigError, which has every one that cannot.
 */
export async function checkMaterials(file: string, parsed: ParsedConfig): Promise<Problem[]> {
  const { config } = parsed;
  const faults = [
    ...(await certificateFaults(config)),
    ...(await keyFaults(config)),
    ...(await tableFaults(config)),
    ...(await revocationFaults(config)),
  ];
  if (faults.length > 0) throw new ConfigError(file, inOrder(faults, parsed));
  return inOrder([...endings(config), ...(await expiredKeys(config))], parsed);
}
