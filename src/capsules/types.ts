/** What there is to know of connect-tcp before a byte of it is read: its versions, and their capsules. Pure. */

/** The types of the capsules that carry a TCP connection. */
export interface CapsuleTypes {
  readonly data: number;
  /** The last: what it carries, a FIN follows. */
  readonly finalData: number;
}

/** draft-ietf-httpbis-connect-tcp-12. */
const DRAFT_12: CapsuleTypes = { data: 0x2028d7f2, finalData: 0x2028d7f3 };
/** Its predecessors from -08 to -11. */
const DRAFT_08: CapsuleTypes = { data: 0x2028d7f0, finalData: 0x2028d7f1 };

/**
 * The versions that are spoken, by the upgrade tokens they go by, the newest first. The types of `connect-tcp`, the final one, were
 * not registered when this was written (IANA's registry of HTTP capsule types has them then): a version is one line here.
 */
export const CONNECT_TCP: ReadonlyMap<string, CapsuleTypes> = new Map([
  ['connect-tcp-12', DRAFT_12],
  // Of masque-go, which numbered the token with the capsules.
  ['connect-tcp-08', DRAFT_08],
  ['connect-tcp-07', DRAFT_08],
]);

/** What an endpoint has sent breaks the capsule protocol, or what connect-tcp makes of it; the text says how. */
export class CapsuleError extends Error {
  override readonly name = 'CapsuleError';
}
