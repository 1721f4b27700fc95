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

function formatOffer([name, ...parameters]: readonly Parameter[]): string {
  const names = new Set(parameters.map(([parameter]) => parameter));
  if (name?.[1] !== undefined || names.size < parameters.length || !parameters.every(isAllowed)) {
    throw badRequest('the permessage-deflate offer is malformed');
  }
  const written = parameters.map(([parameter, value]) =>
    value === undefined ? parameter : `${parameter}=${value}`,
  );
  return ['permessage-deflate', ...written].join('; ');
}

function isAllowed([name, value]: Parameter): boolean {
  return DEFLATE_PARAMETERS.get(name)?.(value) === true;
}
