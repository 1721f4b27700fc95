import type { GatewayRequest } from '../http/request.ts';

/** What admission found out about the client. Checks add to it as they pass. */
export interface Grant {
  /** `sub` of the token. */
  subject?: string;
  claims: Readonly<Record<string, unknown>>;
  /** `exp` in milliseconds since the epoch; undefined without a token. */
  expiresAt?: number;
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
  | { readonly from: 'header' }
  | { readonly from: 'cookie' | 'query'; readonly name: string }
  /** The offered subprotocols that carry the token, and the one that may be named in the 101 in its place, if any. */
  | {
      readonly from: 'subprotocol';
      readonly carriers: readonly string[];
      readonly answer: string | undefined;
    };

/** Refuses by throwing a GatewayError; may add to the grant. Cheap local ones come first. */
export type Check = (request: GatewayRequest, grant: Grant) => void | Promise<void>;
