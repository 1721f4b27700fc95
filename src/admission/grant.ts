import type { GatewayRequest } from '../http/request.ts';
import type { Claims } from './claims.ts';

/** The latest time that a Date can say, in milliseconds since the epoch (ECMA-262 §21.4.1.1); a token may say more. */
export const LATEST_DATE = 8.64e15;

/** How long what was proven holds. */
export interface Expiry {
  /** Until then, in milliseconds since the epoch; undefined where nothing ends. */
  readonly expiresAt?: number | undefined;
  /** So many milliseconds longer, if need be: the tolerance for clocks that differ. Absent: none. */
  readonly graceMs?: number | undefined;
}

/** By what a token can be told from others. */
export interface TokenMarks {
  /** Its own name (RFC 7519 §4.1.7). */
  readonly jti?: string | undefined;
  /** That of the sign-in it comes from (OpenID Connect Front-Channel Logout §3). */
  readonly sid?: string | undefined;
  /** `kid` of the key that signed it. */
  readonly key?: string | undefined;
  /** When it was issued, in milliseconds since the epoch. */
  readonly issuedAt?: number | undefined;
}

/** What a client that has proven itself anew is granted. */
export type Renewed = Expiry & { readonly marks?: TokenMarks | undefined };

/** What a token, or what stands for one, says about its client. */
export interface Proven extends Expiry {
  readonly subject?: string | undefined;
  readonly claims: Claims;
  readonly marks?: TokenMarks | undefined;
}

/** What admission found out about the client. Checks add to it as they pass. */
export interface Grant {
  /** Who the client is: `sub` of its token, the name of its API key, its certificate's subject, or what another service says. */
  subject?: string;
  /** What else is known of it. */
  claims: Claims;
  /** `iss` of the token. */
  issuer?: string;
  /** Of the token, if it was one. */
  marks?: TokenMarks;
  /** The entry of `origins` by which its page was let in. */
  originPattern?: string;
  /** Until when all this holds, in milliseconds since the epoch; undefined where nothing ends. */
  expiresAt?: number;
  /** See Expiry. */
  graceMs?: number;
  /** Where the token stood, so that it can be taken out of what goes upstream; of a preflight: one that nobody verified. */
  credential?: Credential;
  /** Further places where the same token stood: they are taken out as well. */
  copies?: readonly Credential[];
  /** It was let in without the token that its route asks for: it learns what the head of an answer says, and no more. */
  isUnproven?: boolean;
  /** Undo of what a check reserved (a connection's place); called once when the connection ends, however it ends. */
  readonly releases: (() => void)[];
}

export type Credential =
  /** A header's name is in lower case. */
  | { readonly from: 'header' | 'cookie' | 'query'; readonly name: string }
  /** The offered subprotocols that carry the token, and the one that may be named in the 101 in its place, if any. */
  | {
      readonly from: 'subprotocol';
      readonly carriers: readonly string[];
      readonly answer: string | undefined;
    }
  /** The client's first message, which is none of the request's. */
  | { readonly from: 'message' };

/** Refuses by throwing a GatewayError; may add to the grant. Cheap local ones come first. */
export type Check = (request: GatewayRequest, grant: Grant) => void | Promise<void>;

/** Ends a grant at `expiresAt` (milliseconds since the epoch) at the latest: of several proofs the first to end counts. */
export function endBy(grant: Grant, expiresAt: number | undefined, graceMs = 0): void {
  if (expiresAt === undefined || (grant.expiresAt ?? Infinity) <= expiresAt) return;
  grant.expiresAt = expiresAt;
  grant.graceMs = graceMs;
}
