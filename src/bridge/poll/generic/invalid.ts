import type { IncomingHttpHeaders } from 'node:http';
import { GatewayError } from '../../../errors.ts';

/** The service answered what cannot be made sense of; `detail` goes to the log. */
export function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { detail, cause });
}

/** What an answer says it is, in words and characters that can be shown anywhere. */
export function typeIn({ 'content-type': type }: IncomingHttpHeaders): string {
  return type === undefined ? 'no Content-Type' : `Content-Type ${type.slice(0, 80).replace(/[^ -~]/g, '?')}`;
}
