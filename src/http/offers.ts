import { badRequest, isToken, type Parameter, parseParameters, splitList } from './fields.ts';

/** What a client offers in its handshake: subprotocols and extensions. */

/**
 * The subprotocols offered, over all Sec-WebSocket-Protocol fields, in order. Throws BAD_REQUEST for one that is no
 * token, and for one offered twice (RFC 6455 §4.1, items 10 and 11).
 */
export function parseProtocols(values: readonly string[]): string[] {
  if (values.length === 0) return [];
  const protocols = splitList(values);
  if (!protocols.every(isToken)) throw badRequest('Sec-WebSocket-Protocol is malformed');
  if (new Set(protocols).size < protocols.length) throw badRequest('a subprotocol is offered twice');
  return protocols;
}

/** RFC 7692 §7.1: parameters of permessage-deflate, and whether their value is one they may have. */
const DEFLATE_PARAMETERS: ReadonlyMap<string, (value: string | undefined) => boolean> = new Map([
  ['server_no_context_takeover', isAbsent],
  ['client_no_context_takeover', isAbsent],
  ['server_max_window_bits', isWindowBits],
  ['client_max_window_bits', (value) => isAbsent(value) || isWindowBits(value)],
]);

function isAbsent(value: string | undefined): boolean {
  return value === undefined;
}

function isWindowBits(value: string | undefined): boolean {
  return value !== undefined && /^(?:[89]|1[0-5])$/.test(value);
}

/**
 * The permessage-deflate offers among all Sec-WebSocket-Extensions fields, in order and in one value; undefined if there are
 * none. Other extensions are passed over. Throws BAD_REQUEST for a malformed field, and for a deflate offer that
 * RFC 7692 §7 does not allow: some peers crash on those.
 */
export function parseDeflateOffer(values: readonly string[]): string | undefined {
  if (values.length === 0) return undefined;
  const extensions = parseParameters(values.join(','));
  if (!extensions) throw badRequest('Sec-WebSocket-Extensions is malformed');
  const offers = extensions.filter(([first]) => first?.[0] === 'permessage-deflate').map(formatOffer);
  return offers.length > 0 ? offers.join(', ') : undefined;
}

function formatOffer(offer: readonly Parameter[]): string {
  if (!isWellFormed(offer)) throw badRequest('the permessage-deflate offer is malformed');
  const parameters = offer.slice(1);
  const written = parameters.map(([parameter, value]) =>
    value === undefined ? parameter : `${parameter}=${value}`,
  );
  return ['permessage-deflate', ...written].join('; ');
}

function isWellFormed([name, ...parameters]: readonly Parameter[]): boolean {
  const names = new Set(parameters.map(([parameter]) => parameter));
  const isDeflate = name?.[0] === 'permessage-deflate' && name[1] === undefined;
  return isDeflate && names.size === parameters.length && parameters.every(isAllowed);
}

/**
 * Whether an upstream's Sec-WebSocket-Extensions accepts one of the offers in `offer`, as `parseDeflateOffer` gives
 * them (RFC 7692 §7.1): permessage-deflate once, no parameter twice or malformed, and of the parameters
 *
 *   server_no_context_takeover   there if it was offered; else free
 *   client_no_context_takeover   free
 *   server_max_window_bits       there if it was offered, and not larger; else free
 *   client_max_window_bits       only if it was offered, and not larger than a value offered; never without a value
 */
export function isDeflateAnswer(answer: string, offer: string): boolean {
  const [chosen, ...others] = parseParameters(answer) ?? [];
  if (chosen === undefined || others.length > 0 || !isWellFormed(chosen)) return false;
  const answered = new Map(chosen.slice(1));
  if (answered.has('client_max_window_bits') && !isWindowBits(answered.get('client_max_window_bits')))
    return false;
  const offers = parseParameters(offer) ?? [];
  return offers.some((parameters) => accepts(answered, new Map(parameters.slice(1))));
}

type Parameters = ReadonlyMap<string, string | undefined>;

function accepts(answered: Parameters, offered: Parameters): boolean {
  if (offered.has('server_no_context_takeover') && !answered.has('server_no_context_takeover')) return false;
  if (offered.has('server_max_window_bits') && !answered.has('server_max_window_bits')) return false;
  if (answered.has('client_max_window_bits') && !offered.has('client_max_window_bits')) return false;
  return ['server_max_window_bits', 'client_max_window_bits'].every(
    (name) => Number(answered.get(name) ?? 0) <= Number(offered.get(name) ?? 15),
  );
}

function isAllowed([name, value]: Parameter): boolean {
  return DEFLATE_PARAMETERS.get(name)?.(value) === true;
}
