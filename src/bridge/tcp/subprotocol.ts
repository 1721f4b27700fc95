import { harmlessProtocols, shownProtocols } from '../../admission/token/sources.ts';
import { FORM_PROTOCOLS, isMessageSource } from '../../config/first-message.ts';
import type { RouteConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { UpgradeRequest } from '../../http/request.ts';
import { TCP_PROTOCOL, TCP_RESUME_PROTOCOL } from '../../tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';

/** Named by the specification of what `frames: lines` is (https://ircv3.net/specs/extensions/websocket). */
const OF_LINES = ['text.ircv3.net', 'binary.ircv3.net'];
/** Of a protocol that is not spoken where these are asked. */
const OURS: ReadonlySet<string> = new Set([TCP_PROTOCOL, TCP_RESUME_PROTOCOL]);

/**
 * Compiles which of the offered subprotocols a route's 101 names: the first it knows, those of the protocol in whose first
 * message the token stands among them, or with `protocols: any` the first that is no credential. None is a legal answer too
 * (RFC 6455 §4.2.2), but no browser takes it: a page is refused with PROTOCOL_UNKNOWN.
 */
export function protocolChooser({ auth, upstream }: RouteConfig) {
  const sources = auth === 'none' ? [] : auth.token;
  const { protocols = [], frames } = upstream;
  const form = sources.find(isMessageSource)?.from ?? 'message';
  const own = ['binary', ...(frames === 'lines' ? OF_LINES : []), ...FORM_PROTOCOLS[form]];
  const known = protocols === 'any' ? own : [...own, ...protocols];

  return function chooseProtocol(request: Arrived): string | undefined {
    const harmless = harmlessProtocols(sources, request.protocols);
    const named = request.protocols.find((protocol) => known.includes(protocol));
    const chosen = protocols === 'any' ? harmless.find((protocol) => !OURS.has(protocol)) : named;
    if (chosen !== undefined || harmless.length === 0 || !isPage(request)) return chosen;
    const offered = shownProtocols(sources, request.protocols);
    throw new GatewayError('PROTOCOL_UNKNOWN', { detail: `offered: ${offered}; known: ${known.join(', ')}` });
  };
}

/** An upgrade that may have to be answered before its client is let in, for it shows its token in its first message. */
type Arrived = UpgradeRequest & Partial<Pick<AdmittedRequest, 'grant'>>;

/** Nothing has to be named to a page that offered no more than its token, which is answered otherwise. */
function isPage({ origin, grant }: Arrived): boolean {
  const credential = grant?.credential;
  const isAnswered = credential?.from === 'subprotocol' && credential.answer !== undefined;
  return origin !== undefined && !isAnswered;
}
