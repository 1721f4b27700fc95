import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, urlOrSocket, weight, word } from './fields.ts';
import { complaintAbout, namesIn } from './placeholders.ts';
import { hostFault } from './tcp/host.ts';
import { type AddressTarget, isDynamic, type TcpTargets } from './tcp/targets.ts';
import { isForeignUnix, readUnix, socketFault } from './unix.ts';

/**
 * The configuration of an upstream's targets: one or many, how to choose among them, how to tell whether they are
 * well.
 */

/** One or many targets, each a URL, a unix socket or a mapping with its weight. */
export const urlTargets = (...schemes: string[]): UrlTargets => targetsOf(urlOrSocket(...schemes));

type WrittenUrl = string | { readonly url: string; readonly weight?: number | undefined };
/** Its type is named here: what is inferred of it cannot be written down for those who use the package. */
type UrlTargets = z.ZodType<UrlTarget[], WrittenUrl | WrittenUrl[]>;

/** The same, of an `item` that may narrow them down further. */
export function targetsOf(item: z.ZodType<string, string>): UrlTargets {
  const target = item.superRefine((text, context) => {
    const message = urlFault(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
  const plain = target.transform((text): UrlTarget => ({ url: text }));
  return oneOrManyOf(plain, z.strictObject({ url: target.describe('Where it is'), weight }));
}

function urlFault(text: string): string | undefined {
  const unix = readUnix(text);
  if (unix !== undefined) return socketFault(unix.socketPath);
  if (isForeignUnix(text)) return 'a unix socket is written unix:/run/app.sock, or unix:/run/app.sock:/base';
  return hostFault(hostnameOf(text));
}

/** Of a URL, without the brackets of IPv6. */
function hostnameOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

/**
 * A text, a mapping, or a list of them: the alternatives side by side, so that an error can tell which one was meant.
 */
function oneOrManyOf<A extends z.ZodType, B extends z.ZodType>(plain: A, mapping: B) {
  type Item = z.output<A> | z.output<B>;
  return z
    .union([plain, mapping, z.array(z.union([plain, mapping])).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as Item[]);
}

export interface UrlTarget {
  readonly url: string;
  readonly weight?: number | undefined;
}

/** What a request is hashed by. */
const hashKey = word('address, subject, origin, path, cookie:NAME or claim:NAME', (text) => {
  if (/^(address|subject|origin|path)$/.test(text)) return { from: text as PlainKey, name: '' };
  const match = /^(cookie|claim):(\S+)$/.exec(text);
  return match ? { from: match[1] as 'cookie' | 'claim', name: match[2] as string } : undefined;
});
type PlainKey = 'address' | 'subject' | 'origin' | 'path';

const balance = z
  .union(
    [
      z.enum(['least-connections', 'round-robin']),
      z.strictObject({ hash: hashKey.describe('What is the same goes to the same target') }),
    ],
    'expected least-connections, round-robin, or a mapping with hash',
  )
  .optional()
  .describe('Which target gets a connection; absent: least-connections, and round-robin for plain requests');

const health = z
  .strictObject({
    every: duration.prefault('10s').describe('How often each target is asked'),
    within: duration.prefault('2s').describe('It must answer in this time'),
    path: z
      .string()
      .regex(/^\/[^\s#{}]*$/, 'expected a path like /healthz')
      .optional()
      .describe(
        'What is asked for with GET; of websocket: where a connection is opened; absent: /, and the target’s own path for websocket',
      ),
    after: z.int().min(1).max(100).default(3).describe('So many failures in a row take a target out'),
  })
  .optional()
  .describe('Asks each target whether it is well; absent: the connections that are made tell');

/** The keys of an upstream that are about all of its targets. */
export const poolFields = {
  balance,
  health,
  resolver: z
    .enum(['dns', 'system'])
    .optional()
    .describe(
      'Who looks names up: DNS and the hosts file, or this machine’s own resolver, for names that only NSS knows; absent: dns',
    ),
};

export type BalanceConfig = NonNullable<z.output<typeof balance>>;
export type HealthConfig = NonNullable<z.output<typeof health>>;
export type HashKey = z.output<typeof hashKey>;

/** The keys of an upstream as far as its targets go. */
export interface PoolShape {
  readonly websocket?: readonly UrlTarget[] | undefined;
  readonly http?: readonly UrlTarget[] | undefined;
  readonly tcp?: TcpTargets | undefined;
  readonly poll?: { readonly target: readonly UrlTarget[] } | undefined;
  readonly post?: { readonly target: readonly UrlTarget[] } | undefined;
  readonly balance?: BalanceConfig | undefined;
  readonly health?: HealthConfig | undefined;
  readonly resolver?: 'dns' | 'system' | undefined;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Choices among targets where there is none, keys that nobody has, placeholders that nothing fills. */
export function poolRules(upstream: PoolShape, auth: unknown, matchPath: string, complain: Complain): void {
  const { websocket, http, tcp, poll, post } = upstream;
  const fixed = isDynamic(tcp) ? undefined : tcp;
  const lists = [websocket, http, fixed, poll?.target, post?.target].filter((list) => list !== undefined);
  // There are rules of its own for that.
  if (lists.length === 0) return;
  const isNamed = lists.flat().some(isName);
  const isChoice = isNamed || lists.some((list) => list.length > 1);
  if (upstream.balance !== undefined && !isChoice)
    complain(['balance'], 'has no effect: there is one target with one address');
  if (upstream.resolver !== undefined && !isNamed && !isDynamic(tcp))
    complain(['resolver'], 'has no effect: every target is an address');
  for (const list of lists) loneWeight(list, upstream, complain);
  hashRules(upstream.balance, auth, complain);
  healthRules(upstream, complain);
  placeholderRules(upstream, matchPath, complain);
}

function loneWeight(
  list: readonly (UrlTarget | AddressTarget)[],
  { poll, post }: PoolShape,
  complain: Complain,
): void {
  if (list.length > 1 || list[0]?.weight === undefined) return;
  const kind = list === poll?.target ? ['poll', 'target'] : list === post?.target ? ['post', 'target'] : [];
  complain([...kind, 'weight'], 'has no effect: there is one target');
}

function hashRules(balance: BalanceConfig | undefined, auth: unknown, complain: Complain): void {
  if (typeof balance !== 'object' || auth !== 'none') return;
  const { from } = balance.hash;
  if (from !== 'subject' && from !== 'claim') return;
  complain(['balance', 'hash'], `there is no ${from} on a route with auth: none`);
}

function healthRules({ health, tcp, websocket = [], http, poll, post }: PoolShape, complain: Complain): void {
  if (health === undefined) return;
  if (health.path !== undefined && tcp !== undefined && !websocket.length && !http && !poll && !post)
    complain(['health', 'path'], 'has no effect with a tcp upstream');
  if (health.path === undefined && websocket.some(({ url }) => namesIn(url).length > 0))
    complain(['health', 'path'], 'is required: the path of a target holds a {name}');
}

/** Only the path of a websocket target is filled, and with what the route's own path captures. */
function placeholderRules(
  { websocket = [], http = [], poll, post }: PoolShape,
  matchPath: string,
  complain: Complain,
): void {
  const captures = namesIn(matchPath);
  for (const [index, { url }] of websocket.entries()) {
    const [path = '', query = ''] = url.split('?');
    const unknown = namesIn(path).filter((name) => !captures.includes(name));
    report([...unknown, ...namesIn(query)], ['websocket'], websocket.length, index);
  }
  for (const [index, { url }] of http.entries()) report(namesIn(url), ['http'], http.length, index);
  for (const [kind, { target = [] } = {}] of Object.entries({ poll, post }))
    for (const [index, { url }] of target.entries())
      report(namesIn(url), [kind, 'target'], target.length, index);

  function report(names: readonly string[], path: PropertyKey[], count: number, index: number): void {
    const place = count > 1 ? [...path, index] : path;
    if (names[0] !== undefined) complain(place, complaintAbout(names[0]));
  }
}

/** It is looked up: neither an address nor a unix socket. */
function isName(target: UrlTarget | AddressTarget): boolean {
  if ('url' in target) return readUnix(target.url) === undefined && isIP(hostnameOf(target.url)) === 0;
  return 'host' in target && isIP(target.host) === 0;
}
