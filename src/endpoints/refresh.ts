import type { Grant } from '../admission/grant.ts';
import { release } from '../admission/index.ts';
import type { Reproof } from '../admission/reproof.ts';
import type { Verifications } from '../admission/token/verifications.ts';
import { endsWithToken, refreshPath } from '../config/refresh.ts';
import { asGatewayError, type ErrorCode, GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import { readParameters } from '../observe/admin/parameters.ts';
import type { Routes } from '../route-table.ts';
import type { Answer, Asked, Endpoint, EndpointDeps } from './endpoint.ts';
import {
  extendHere,
  MOST_NAMED,
  type Order,
  type RefreshedHere,
  readOrder,
  type Verdict,
} from './extending.ts';
import { createPace } from './pace.ts';
import { pagesOf } from './pages.ts';
import { type Concerned, routesOf } from './routes-of.ts';

/**
 * A client that is connected shows a new token: its sessions go on until that ends, on every gateway, and those whose route would
 * not let it in any more end. The token itself stays here.
 */

const TOPIC = 'refresh';

/** What a route thinks of a token: what it grants, or why it does not. */
interface Opinion {
  readonly route: string;
  readonly grant: Grant;
  readonly error?: GatewayError;
}

/** Opens `refresh`, where sessions of some route end with their tokens. */
export function openRefresh(deps: EndpointDeps): readonly Endpoint[] {
  const { config, commons, routes, verifications } = deps;
  if (!config.routes.some(endsWithToken)) return [];
  const concerned = routesOf(routes, ({ reproofs }) => reproofs.refresh);
  const takeTurn = createPace();
  commons.broadcast.answer(TOPIC, (told) => {
    const order = readOrder(told);
    return order && extendHere(deps.sessions, deps.revocations, order);
  });

  async function answer({ request, parameters, grant }: Asked): Promise<Answer> {
    const opinions = await Promise.all(
      concerned.meant(request).map((one) => opinionOf(routes, one, request)),
    );
    const verdicts = opinions.flatMap(verdictOf);
    Object.assign(grant, who(opinions));
    if (verdicts.length === 0) throw counted(mostTelling(opinions), request, verifications);
    // A slip of the pen would mean all sessions.
    const { session } = readParameters(parameters, ['route', 'session']);
    takeTurn(request, grant);
    const order: Order = { verdicts, session };
    const told = await commons.broadcast.ask(TOPIC, order);
    if (verdicts.every(({ isOver }) => isOver)) throw mostTelling(opinions);
    return { json: together(told as readonly RefreshedHere[]) };
  }

  return [
    {
      path: refreshPath(config),
      serves: (request) => concerned.all(request).length > 0,
      pages: pagesOf(concerned.whosePages),
      answer,
    },
  ];
}

async function opinionOf(
  routes: Routes,
  { route, what: prove }: Concerned<Reproof>,
  request: GatewayRequest,
): Promise<Opinion> {
  const grant: Grant = { claims: {}, releases: [routes.retain(route)] };
  const opinion = { route: route.name, grant };
  try {
    await prove(request, grant);
    return grant.subject === undefined ? { ...opinion, error: nameless() } : opinion;
  } catch (thrown) {
    return { ...opinion, error: asGatewayError(thrown) };
  } finally {
    release(grant);
  }
}

/** None where a route does not know the token, or cannot tell now. */
function verdictOf({ route, grant, error }: Opinion): Verdict[] {
  const { subject, issuer, expiresAt, graceMs, marks } = grant;
  const isOver = error?.code === 'FORBIDDEN';
  if (subject === undefined || (error !== undefined && !isOver)) return [];
  return [{ route, subject, issuer, expiresAt, graceMs, marks, isOver }];
}

/** What the log is to know of the client. */
function who(opinions: readonly Opinion[]): Pick<Grant, 'subject' | 'issuer'> {
  const { subject, issuer } = opinions.find(({ grant }) => grant.subject !== undefined)?.grant ?? {};
  return subject === undefined ? {} : { subject, ...(issuer !== undefined && { issuer }) };
}

function nameless(): GatewayError {
  return new GatewayError('FORBIDDEN', {
    detail: 'the token has no sub',
    sentence: 'The token names nobody (sub) whose sessions could be told from those of others.',
  });
}

/** From what says least of a token to what says most; what is none of these could not be decided. */
const TELLING: readonly ErrorCode[] = [
  'MISDIRECTED',
  'ADDRESS_REFUSED',
  'ORIGIN_REFUSED',
  'CERTIFICATE_REFUSED',
  'TOKEN_MISSING',
  'BAD_REQUEST',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
  'FORBIDDEN',
];

/** Of the routes that refuse a token, what the one says that knows most of it. */
function mostTelling(opinions: readonly Opinion[]): GatewayError {
  const errors = opinions.flatMap(({ error }) => error ?? []);
  return errors.reduce((most, error) => (rankOf(error) > rankOf(most) ? error : most));
}

function rankOf({ code }: GatewayError): number {
  const rank = TELLING.indexOf(code);
  return rank === -1 ? TELLING.length : rank;
}

/** However many routes have looked at it, it was one bad token. */
function counted(
  error: GatewayError,
  { clientAddress }: GatewayRequest,
  verifications: Verifications,
): GatewayError {
  if (error.code === 'TOKEN_INVALID') verifications.failed(clientAddress);
  return error;
}

/** What all gateways have done. */
function together(told: readonly RefreshedHere[]): RefreshedHere {
  const sum = (of: 'extended' | 'ended') => told.reduce((total, each) => total + each[of], 0);
  const sessions = told.flatMap((each) => each.sessions).slice(0, MOST_NAMED);
  return { extended: sum('extended'), ended: sum('ended'), sessions };
}
