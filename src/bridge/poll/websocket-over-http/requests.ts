import { isProtocolHeader, type WebSocketOverHttpConfig } from '../../../config/poll/websocket-over-http.ts';
import { headerClass } from '../../../http/header-classes.ts';
import { withQuery } from '../../../http/query.ts';
import type { HttpRequest } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import { EVENTS_TYPE } from './answers.ts';
import { encodeEvents, type SocketEvent } from './events.ts';
import { FILTER_FEATURES } from './filters.ts';
import { createSigner } from './signature.ts';

/** The requests of a session: all to one place, each with the client's handshake around its events. */
export type RequestWriter = (
  events: readonly SocketEvent[],
  fields: Readonly<Record<string, string>>,
) => HttpRequest;

/** Compiles how requests are written. */
export function compileRequests(
  config: WebSocketOverHttpConfig,
): (request: AdmittedRequest) => RequestWriter {
  const { secret, issuer } = config.grip;
  const sign = secret && createSigner({ secret: secret.reveal(), issuer });
  return function requestsOf(request) {
    // The client's query goes with every request.
    const path = withQuery(config.path ?? request.path, request.query ?? '');
    const headers = {
      ...(config.headers.isAll && passedOn(request)),
      accept: EVENTS_TYPE,
      'content-type': EVENTS_TYPE,
      'connection-id': request.connectionId,
      'sec-websocket-extensions': 'grip',
      'grip-feature': FILTER_FEATURES,
      ...(request.protocols.length > 0 && { 'sec-websocket-protocol': request.protocols.join(', ') }),
    };
    return function writeRequest(events, fields) {
      const signed = sign && { 'grip-sig': sign() };
      return {
        method: 'POST',
        path,
        headers: { ...headers, ...signed, ...fields },
        body: encodeEvents(events),
      };
    };
  };
}

/** The end-to-end fields of the handshake. */
function passedOn({ upstreamHeaders }: AdmittedRequest): Record<string, string> {
  // A field may have the name of what every other object has.
  const headers: Record<string, string> = Object.create(null);
  for (const [field, value] of upstreamHeaders) {
    const name = field.toLowerCase();
    if (!isPassed(name)) continue;
    const before = headers[name];
    // Fields of one name in one (RFC 9110 §5.3); cookies have a separator of their own (RFC 9113 §8.2.3).
    headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

function isPassed(name: string): boolean {
  const kind = headerClass(name);
  if (kind !== undefined && kind !== 'identity' && kind !== 'forwarding') return false;
  return !isProtocolHeader(name);
}
