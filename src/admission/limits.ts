import type { RouteConfig } from '../config/schema.ts';
import { servedKinds, upgradesTo } from '../config/upstream-kinds.ts';
import { type GatewayRequest, isUpgrade } from '../http/request.ts';
import { offersResume } from '../tcp-protocol/offers.ts';
import type { Check } from './grant.ts';
import type { LimitDeps } from './limit-deps.ts';
import { limitConnections, limitRequests } from './places.ts';
import { limitUpgrades } from './upgrades.ts';

/** Whom a limit can count together, from a client alone to everybody: who meets a limit of its own spends nothing of a shared one. */
const SCOPES = ['address', 'subject', 'claim', 'origin', 'route'] as const;

/** The limits of a route, by when they are charged. */
export interface LimitChecks {
  /** By keys of the client's own making: before any proof. */
  readonly own: readonly Check[];
  /** By what is proven, or shared with others: after all proofs, so that no stranger can spend it. */
  readonly shared: readonly Check[];
}

/** Compiles the limits of a route into checks. */
export function createLimits(route: RouteConfig, deps: LimitDeps): LimitChecks {
  const compiled = compile(route, deps);
  const [own = [], ...shared] = SCOPES.map((scope) =>
    compiled.filter(({ per }) => per === scope || per.startsWith(`${scope}:`)).map(({ check }) => check),
  );
  return { own, shared: shared.flat().map(exceptUnproven) };
}

interface Compiled {
  readonly per: string;
  readonly check: Check;
}

function compile(route: RouteConfig, deps: LimitDeps): Compiled[] {
  const { name, limits, upstream } = route;
  const { upgrades = [], connections = [] } = limits;
  const requests = servedKinds(upstream).includes('request') ? limits.requests : [];
  return [
    ...paired(requests, limitRequests(name, requests, deps)),
    ...paired(upgrades, limitUpgrades(name, upgrades, deps)),
    ...paired(connections, limitConnections(name, connections, deps, resumes(route))),
  ];
}

/** A TCP connection that outlives its WebSocket keeps the place that it came with. */
function resumes({ upstream }: RouteConfig): ((request: GatewayRequest) => boolean) | undefined {
  const isResumable =
    upgradesTo(upstream) === 'tcp' && upstream.tcpProtocol !== 'off' && upstream.resume !== undefined;
  if (!isResumable) return undefined;
  return (request) => isUpgrade(request) && offersResume(request.protocols);
}

function paired(limits: readonly { readonly per: string }[], checks: readonly Check[]): Compiled[] {
  return checks.map((check, index) => ({ per: limits[index]?.per ?? '', check }));
}

/** Preflights show no token, so that anybody can send them: they are charged to their address alone. */
function exceptUnproven(check: Check): Check {
  return (request, grant) => (grant.isUnproven ? undefined : check(request, grant));
}
