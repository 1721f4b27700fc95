import { GatewayError } from '../errors.ts';
import { type AddressBlock, matchAddress } from '../http/address.ts';
import type { Check } from './grant.ts';

interface AddressRules {
  readonly allow?: readonly AddressBlock[] | undefined;
  readonly deny?: readonly AddressBlock[] | undefined;
}

/** Judges the client's address: refused if denied, or if there is a list of allowed ones without it. Throws ADDRESS_REFUSED. */
export function checkAddress({ allow, deny }: AddressRules): Check {
  const isDenied = matchAddress(deny ?? []);
  const isAllowed = allow ? matchAddress(allow) : () => true;
  return function address({ clientAddress }) {
    if (isDenied(clientAddress) || !isAllowed(clientAddress)) throw new GatewayError('ADDRESS_REFUSED');
  };
}
