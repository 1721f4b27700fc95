import { nominatedFields } from '../../http/header-classes.ts';
import type { GatewayRequest, HeaderField } from '../../http/request.ts';

/** What another service is told of a request when it is asked whether to let it in. */

/** The client's own fields that go with the question, as sent: those named in `wanted`, in lower case. */
export function fieldsFrom({ headers }: GatewayRequest, wanted: ReadonlySet<string>): readonly HeaderField[] {
  const nominated = nominatedFields(headers);
  return headers.filter(([name]) => {
    const key = name.toLowerCase();
    return wanted.has(key) && !nominated.has(key);
  });
}

/**
 * Our own fields: what was asked for, where, how and by whom, under the names that services written for Traefik
 * (X-Forwarded-*) and for nginx (X-Original-*) read.
 */
export function ourFields(request: GatewayRequest): readonly HeaderField[] {
  const { method, clientAuthority, clientAddress, peerAddress, path, query } = request;
  const proto = request.secure ? 'https' : 'http';
  // `OPTIONS *` takes the route of `/`.
  const place = path === '*' ? '/' : path;
  const uri = query === undefined ? place : `${place}?${query}`;
  return [
    ['x-forwarded-method', method],
    ['x-forwarded-proto', proto],
    ['x-forwarded-host', clientAuthority],
    ['x-forwarded-uri', uri],
    ['x-forwarded-for', clientAddress === peerAddress ? clientAddress : `${clientAddress}, ${peerAddress}`],
    ['x-original-method', method],
    ['x-original-url', `${proto}://${clientAuthority}${uri}`],
  ];
}
