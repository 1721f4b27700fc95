import { z } from 'zod';
import { cgiSpelling, headerClass } from '../../http/header-classes.ts';
import { headerName } from '../fields.ts';
import type { Complain } from './common.ts';
import { textFault } from './templates.ts';

/** The configuration of what all requests of a session say in their headers. */

const PASSED = ['cookie', 'authorization', 'user-agent', 'accept-language'];

/** The value of a header, as a template. */
export const fieldTemplate = z
  .string()
  .regex(/^[!-~](?:[ -~]*[!-~])?$/, 'expected a header value of visible ASCII characters');

const list = z.array(headerName);
const mapping = z.strictObject({
  pass: list.prefault(PASSED).describe('Headers of the handshake that are passed on'),
  add: z
    .record(headerName, fieldTemplate)
    .prefault({})
    .describe(
      'Header: value, in place of any that came; it may hold {connection}, {claims.NAME}, {query}, {query.NAME|default} and what the route captures. One without a value is left out',
    ),
});

export const sessionHeaders = z
  .union(
    [list.transform((pass): SessionHeadersConfig => ({ pass, add: {} })), mapping],
    'expected a list of headers, or a mapping with pass and add',
  )
  .prefault(PASSED)
  .describe('Headers of the handshake that are passed on: a list, or a mapping that adds others too');

export type SessionHeadersConfig = z.output<typeof mapping>;

/** A place in a handshake: `query`, `subprotocol` and others, and which. */
export interface Place {
  readonly from: string;
  readonly name: string;
}

/** What a route says of its requests, as far as it bears on the templates of its sessions. */
export interface RouteFacts {
  readonly captures: readonly string[];
  readonly hasClaims: boolean;
  /** Why headers that the route says otherwise cannot be said here, by their names in CGI spelling. */
  readonly taken: ReadonlyMap<string, string>;
  /** Where in a handshake tokens and the gateway’s own credentials stand. */
  readonly places?: readonly Place[];
}

/** Headers that cannot be added, and placeholders that nothing fills. */
export function headerRules(
  { pass, add }: SessionHeadersConfig,
  route: RouteFacts,
  complain: Complain,
): void {
  for (const [name, value] of Object.entries(add)) {
    const fault = headerFault(name, route) ?? textFault(value, { ...route, own: [] });
    if (fault !== undefined) complain(['headers', 'add', name], fault);
  }
  // Nobody has written these: the one that is added takes the place of one of them, and that is what it is for.
  if (pass.join() === PASSED.join()) return;
  for (const [index, name] of pass.entries())
    if (Object.hasOwn(add, name))
      complain(['headers', 'pass', index], 'has no effect: it is added, and so replaced');
}

/** Why the configuration cannot say this header of a request; undefined if it can. */
export function headerFault(header: string, { taken }: RouteFacts): string | undefined {
  const name = cgiSpelling(header);
  if (name === 'content-type') return 'is said by `type`, `text` and `binary`';
  if (POLL_HEADERS.includes(name)) return 'is the gateway’s own to say';
  if (name === 'host') return 'is changed by the key `host` of the upstream';
  const kind = headerClass(name);
  if (kind !== undefined && kind !== 'identity') return 'is set by the gateway, and by nobody else';
  return taken.get(name);
}

interface Speaking {
  readonly auth: 'none' | { readonly forward: Readonly<Record<string, string>> };
  readonly upstream: {
    readonly headers?: { readonly set: object } | undefined;
    readonly credentials?: readonly { readonly header?: string | undefined }[] | undefined;
  };
}

/** The headers that a route says in other places, and which. */
export function takenHeaders({
  auth,
  upstream: { headers, credentials },
}: Speaking): ReadonlyMap<string, string> {
  const claims = auth === 'none' ? [] : Object.keys(auth.forward);
  // Where a part of them is wrong they are still as they were written.
  const secrets = Array.isArray(credentials) ? credentials.flatMap(({ header }) => header ?? []) : [];
  return new Map([
    ...Object.keys(headers?.set ?? {}).map(
      (name) => [cgiSpelling(name), 'is set by upstream.headers'] as const,
    ),
    ...secrets.map((name) => [cgiSpelling(name), 'carries a credential, by upstream.credentials'] as const),
    ...claims.map((name) => [cgiSpelling(name), 'carries a claim, by auth.forward'] as const),
  ]);
}

/** Headers of polls and sends that are the bridge's own to say, whatever client and configuration say. In lower case. */
export const POLL_HEADERS: readonly string[] = [
  'accept-encoding',
  'content-encoding',
  'content-type',
  'idempotency-key',
  'x-connection-id',
];
