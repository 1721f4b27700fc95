/** Why a TLS handshake that the gateway began has come to nothing, and what of the configuration mends it. Pure. */

/** What is to be written where. */
export interface Remedies {
  /** What is to be written for a service without TLS: `ws://`. */
  readonly plain: string;
  /** Who is believed: `name it in upstream.tls.ca`. */
  readonly authority: string;
  /** Under which name: `write the right one in upstream.tls.servername`. */
  readonly name: string;
}

/** For what has no `tls` of its own in the configuration: issuers' keys. */
export const REMEDIES_OF_URLS: Remedies = {
  plain: 'http://',
  authority: 'name a file with it in the environment as NODE_EXTRA_CA_CERTS',
  name: 'write a name that it has in the URL',
};

const UNBELIEVED: ReadonlySet<unknown> = new Set([
  // By one of the same name, with another key.
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
/** What plain text looks like to who expects TLS. */
const PLAIN: ReadonlySet<unknown> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
]);

/** The same in words of ours and with its code, for what the configuration can mend; anything else, or no error, as it is. */
export function tlsFault(thrown: unknown, remedies: Remedies): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const words = wordsFor(thrown, remedies);
  // Node's own error says less, and takes a stack along.
  if (words !== undefined) return Object.assign(new Error(words), { code: codeOf(thrown) });
  const told = tlsFault(thrown.cause, remedies);
  return told === thrown.cause ? thrown : told;
}

function wordsFor(error: Error, { plain, authority, name }: Remedies): string | undefined {
  const code = codeOf(error);
  if (PLAIN.has(code)) return `it speaks no TLS: write ${plain}`;
  if (UNBELIEVED.has(code)) return `no authority that is believed has signed its certificate: ${authority}`;
  return code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? `${misnamed(error)}: ${name}` : undefined;
}

function misnamed(error: Error): string {
  const { host, cert } = error as { host?: string; cert?: { subjectaltname?: string } };
  return `its certificate is for ${cert?.subjectaltname ?? 'no name'}, not for ${host}`;
}

function codeOf(error: Error): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
