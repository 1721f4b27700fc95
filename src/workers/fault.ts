import { type ErrorCode, GatewayError } from '../errors.ts';

/** A failure on its way to another process. */
export interface WrittenFault {
  /** Absent: nobody has foreseen it. */
  readonly code?: ErrorCode;
  readonly message: string;
  readonly detail?: string | undefined;
}

export function faultOf(thrown: unknown): WrittenFault {
  if (!(thrown instanceof GatewayError))
    return { message: thrown instanceof Error ? String(thrown.stack) : String(thrown) };
  const { code, message, detail } = thrown;
  return { code, message, detail };
}

/** The failure as who was asked has thrown it, as far as whoever asked can tell. */
export function thrownOf({ code, message, detail }: WrittenFault): Error {
  if (code === undefined) return new Error(`in another process: ${message}`);
  return new GatewayError(code, { sentence: message, ...(detail !== undefined && { detail }) });
}
