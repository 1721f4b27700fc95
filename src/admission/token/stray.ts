import { isMessageSource } from '../../config/first-message.ts';
import type { TokenSource } from '../../config/schema.ts';
import type { GatewayRequest } from '../../http/request.ts';
import { tokenFinder } from './sources.ts';

/** A token that stands where a route does not look: it counts for nothing, but its client believes to have shown one. */

const inSubprotocols = tokenFinder([{ from: 'subprotocol', name: '' }]);

/** What the log says of it: the usual slip of who sets up a page or a program. Undefined if there is none. */
export function strayToken(sources: readonly TokenSource[], request: GatewayRequest): string | undefined {
  const from = placeOf(request);
  const isListed = sources.some((source) => source.from === from && source.name === '');
  return from === undefined || isListed
    ? undefined
    : `a token came by ${from}, where auth.token does not look`;
}

function placeOf(request: GatewayRequest): 'header' | 'subprotocol' | undefined {
  if (inSubprotocols(request).length > 0) return 'subprotocol';
  return request.headers.some(isBearer) ? 'header' : undefined;
}

function isBearer([name, value]: readonly [string, string]): boolean {
  return name.toLowerCase() === 'authorization' && /^bearer +\S/i.test(value);
}

/** What is said of a client whose first message has no token; undefined where none was waited for. */
export function lackingToken(sources: readonly TokenSource[], request: GatewayRequest): string | undefined {
  const source = sources.find(isMessageSource);
  if (source === undefined || !('firstMessage' in request)) return undefined;
  return `the first message has no token where ${source.from}${source.name && `:${source.name}`} looks`;
}
