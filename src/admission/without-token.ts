import { cgiSpelling } from '../http/header-classes.ts';
import { removeParameter } from '../http/query.ts';
import type { GatewayRequest, HeaderField, UpgradeRequest } from '../http/request.ts';
import type { Credential, Grant } from './grant.ts';

/** A request with its token taken out of headers, query and subprotocols, wherever it stood. */
export function withoutToken<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  { credential, copies = [] }: Grant,
): R {
  if (credential === undefined) return request;
  return [credential, ...copies].reduce<R>(removeCredential, request);
}

function removeCredential<R extends GatewayRequest & Partial<UpgradeRequest>>(
  request: R,
  credential: Credential,
): R {
  if (credential.from === 'message') return request;
  if (credential.from === 'query')
    return { ...request, query: removeParameter(request.query, credential.name) };
  const headers: HeaderField[] = [];
  for (const field of request.headers) {
    const rest = removeFromField(field, credential);
    if (rest !== undefined) headers.push(rest);
  }
  if (credential.from !== 'subprotocol') return { ...request, headers };
  const protocols = request.protocols?.filter((protocol) => !credential.carriers.includes(protocol));
  return { ...request, headers, protocols };
}

/** Undefined if nothing of the field is left. */
function removeFromField(field: HeaderField, credential: Credential): HeaderField | undefined {
  const [name, value] = field;
  const key = name.toLowerCase();
  if (credential.from === 'header' && cgiSpelling(key) === cgiSpelling(credential.name)) return undefined;
  // Its other items are in `protocols`, from which the bridges write their own.
  if (credential.from === 'subprotocol' && key === 'sec-websocket-protocol') return undefined;
  if (credential.from !== 'cookie' || key !== 'cookie') return field;
  const rest = removeCookie(value, credential.name);
  return rest === '' ? undefined : [name, rest];
}

/** A Cookie field without every cookie of that name; the others stay byte for byte (RFC 6265 §4.2.1). */
function removeCookie(value: string, name: string): string {
  const pairs = value.split(';');
  const kept = pairs.filter((pair) => pair.split('=', 1)[0]?.trim() !== name);
  return kept.length === pairs.length ? value : kept.join(';').trim();
}
