import { namesIn } from '../placeholders.ts';
import { ticketParameters } from '../tickets.ts';
import type { AllowConfig } from './allow.ts';
import type { TableConfig } from './table.ts';
import { isDynamic, type TcpTargets } from './targets.ts';
import { strangersIn, TARGET_FIELDS, type TargetField, targetFields, targetPieces } from './template.ts';

/** What the shape alone cannot say of targets that clients name: keys that exclude or need one another, placeholders that nothing fills. */

interface DynamicShape {
  readonly match: { readonly host?: string | undefined; readonly path: string };
  readonly auth: 'none' | { readonly token: readonly { readonly from: string; readonly name: string }[] };
  readonly upstream: {
    readonly tcp?: TcpTargets | undefined;
    readonly http?: object | undefined;
    readonly targets?: TableConfig | undefined;
    readonly allow?: AllowConfig | undefined;
    readonly allowClaim?: string | undefined;
    readonly balance?: unknown;
    readonly health?: unknown;
  };
}

/** `path` starts below `upstream`. */
type Complain = (path: PropertyKey[], message: string) => void;

export function dynamicRules(route: DynamicShape, complain: Complain): void {
  const { tcp } = route.upstream;
  if (!isDynamic(tcp)) {
    fixedRules(route, complain);
    return;
  }
  const unfilled = whyUnfilled(tcp.template, route);
  if (unfilled !== undefined) complain(['tcp'], unfilled);
  else choiceRules(route, tcp.template, complain);
  poolKeys(route, complain);
}

/** Without a template nobody names anything. */
function fixedRules({ upstream }: DynamicShape, complain: Complain): void {
  // Where there is no tcp at all, that is told already.
  if (upstream.tcp === undefined) return;
  for (const key of ['targets', 'allow', 'allowClaim'] as const) {
    if (upstream[key] !== undefined)
      complain(
        [key],
        'has no effect: tcp is fixed; clients name targets by a text like "{path.host}:{path.port}"',
      );
  }
}

function choiceRules({ upstream, auth }: DynamicShape, template: string, complain: Complain): void {
  const { targets, allow, allowClaim } = upstream;
  if (targets === undefined && allow === undefined)
    complain(
      ['tcp'],
      'lets clients name a target: add targets, a table of those there are, or allow, rules for host:port',
    );
  if (targets !== undefined && allow !== undefined)
    complain(
      ['allow'],
      'does not go with targets, whose entries are allowed as they stand: remove one of them',
    );
  if (allow === undefined && allowClaim !== undefined)
    complain(['allowClaim'], 'has no effect without allow, which it narrows');
  if (allow !== undefined && allowClaim !== undefined && auth === 'none')
    complain(['allowClaim'], 'lets nobody in: there are no claims on a route with auth: none');
  if (allow !== undefined && targets === undefined && !hasPort(template))
    complain(['tcp'], `names no port: a target is host:port, as in "${template}:5432"`);
}

/** A lone placeholder may hold host and port. */
function hasPort(template: string): boolean {
  const pieces = targetPieces(template);
  return pieces.length === 1 || /:(?:\d{1,5}|\{[^{}]*\})$/.test(template);
}

/** Why something of a template is never filled; undefined if all of it may be. */
function whyUnfilled(template: string, route: DynamicShape): string | undefined {
  const [stranger] = strangersIn(template);
  if (stranger !== undefined) {
    const what = /[{}]/.test(stranger) ? 'a { or } stands alone' : `nothing fills {${stranger}} here`;
    return `${what}: a target is fixed, or named by ${TARGET_FIELDS}`;
  }
  return targetFields(template)
    .map((field) => whyNever(field, route))
    .find((why) => why !== undefined);
}

function whyNever({ from, name }: TargetField, { match, auth }: DynamicShape): string | undefined {
  const what = `nothing fills {${from}.${name}}`;
  if (from === 'path' && !namesIn(match.path).includes(name)) return `${what}: match.path has no {${name}}`;
  if (from === 'host' && !match.host?.startsWith('*.'))
    return `${what}: match.host has no *, as in *.db.example.com`;
  if (from === 'claims' && auth === 'none') return `${what}: there are no claims on a route with auth: none`;
  const isToken = auth !== 'none' && auth.token.some((one) => one.from === 'query' && one.name === name);
  if (from === 'query' && isToken) return `${what}: ?${name}= is where the token stands`;
  const isTicket = from === 'query' && ticketParameters(auth).includes(name);
  return isTicket ? `${what}: ?${name}= is where the ticket stands` : undefined;
}

/** There is no list of targets to choose from, or to look after. */
function poolKeys({ upstream }: DynamicShape, complain: Complain): void {
  if (upstream.http !== undefined) return;
  for (const key of ['balance', 'health'] as const)
    if (upstream[key] !== undefined) complain([key], 'has no effect: clients name the target');
}
