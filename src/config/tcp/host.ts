import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { ServiceAddress } from '../fields.ts';
import { socketFault } from '../unix.ts';

/** What is wrong with the host of a target: it is an address, or what can be asked of DNS. Undefined if nothing is. */
export function hostFault(host: string): string | undefined {
  const isFixed = !/[{}*]/.test(host) && (isIP(host) !== 0 || domainToASCII(host) !== '');
  return isFixed ? undefined : 'the host of a target is fixed: no {name} and no * may stand in it';
}

/** What is wrong with where a service is said to listen; undefined if nothing is. */
export function addressFault(where: ServiceAddress): string | undefined {
  return 'host' in where ? hostFault(where.host) : socketFault(where.socketPath);
}
