/** What lies beneath a failure, in words that fit into one line. Pure. */

const MAX_CAUSES = 5;
/** OpenSSL's own text: a thread's number, a code, the function and the line in its source. */
const OPENSSL = /:error:[0-9A-F]{8}:/;
/** A TLS alert record of any version begins so (RFC 8446 §5.1). */
const ALERT = [0x15, 0x03];

/** An error and what caused it: `the handshake failed: ECONNREFUSED: connect …`. Any thrown value will do. Not redacted. */
export function causeText(thrown: unknown): string {
  const parts: string[] = [];
  for (let at = thrown; at !== undefined && parts.length < MAX_CAUSES; at = causeOf(at)) parts.push(say(at));
  return parts.join(': ');
}

/** The message of one error alone, without what a library has put around it. */
export function messageOf(error: Error): string {
  const { reason, rawPacket } = error as { reason?: unknown; rawPacket?: unknown };
  if (rawPacket instanceof Uint8Array && isTlsAlert(rawPacket)) return 'it speaks TLS: write https://';
  if (typeof reason === 'string' && OPENSSL.test(error.message)) return reason;
  return error.message.trim();
}

/** Whether somebody who was sent plain text has answered in TLS. */
export function isTlsAlert(bytes: Uint8Array): boolean {
  return ALERT.every((byte, index) => bytes[index] === byte);
}

function say(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === 'string' ? thrown.trim() : typeof thrown;
  const { code } = thrown as NodeJS.ErrnoException;
  const message = messageOf(thrown);
  // The error of a host with several addresses (AggregateError) has a code but no message.
  if (typeof code !== 'string' || message.includes(code)) return message || thrown.name;
  return message ? `${code}: ${message}` : code;
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.cause : undefined;
}
