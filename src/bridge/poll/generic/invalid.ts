import { GatewayError } from '../../../errors.ts';

/** The service answered what cannot be made sense of; `detail` goes to the log. */
export function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail, cause });
}
