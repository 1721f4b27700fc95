import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL } from './types.ts';

/** Whether a client that offers these subprotocols comes back to a connection. */
export function offersResume(protocols: readonly string[]): boolean {
  return protocols.includes(TCP_PROTOCOL) && protocols.includes(TCP_RESUME_PROTOCOL);
}
