import type { GatewayError } from '../../../errors.ts';
import type { Reason } from '../../../tcp-protocol/types.ts';
import { tokenOf } from '../proxy-error.ts';

/** The reason that a failure is, in the words that the client may know. */
export function reasonOf(error: GatewayError): Reason {
  const after = error.headers['retry-after'];
  const hint = after === undefined ? '' : ` Try again in ${after} s.`;
  return { code: error.close, error: tokenOf(error), text: error.message + hint };
}
