import type { Grant } from './admission/grant.ts';
import { release } from './admission/index.ts';
import { refusalProtocol, shownProtocols } from './admission/token/sources.ts';
import { failed } from './bridge/closing.ts';
import type { Bridge, Ending } from './bridge/contract.ts';
import { proxyStatus } from './bridge/tcp/proxy-error.ts';
import type { TokenSource } from './config/schema.ts';
import { asGatewayError, clientLost, GatewayError } from './errors.ts';
import type { Opening } from './first-message/opening.ts';
import { parseUpgrade, upgradeRequired } from './http/parse.ts';
import type { HeaderField, UpgradeRequest } from './http/request.ts';
import type { PendingUpgrade } from './listener/pending-upgrade.ts';
import type { Observer } from './observe/index.ts';
import { PhaseClock, type PhaseTimes } from './observe/phases.ts';
import { refusedRequest } from './observe/refused-request.ts';
import type { Routes } from './route-table.ts';
import type { Route, UpgradeHandler } from './routes.ts';
import type { Sessions } from './session/registry.ts';
import type { Session } from './session/session.ts';

export interface HandshakeDeps {
  readonly routes: Routes;
  readonly sessions: Sessions;
  readonly observer: Observer;
  readonly isDraining: () => boolean;
}

/** What is known of an upgrade so far; a refusal tells of it. */
interface Progress {
  pending: PendingUpgrade;
  readonly clock: PhaseClock;
  /** Where its token may come in its first message. */
  opening?: Opening;
  request?: UpgradeRequest;
  route?: Route;
  grant?: Grant;
  bridge?: Bridge;
}

/**
 * The story of one upgrade: parse → route → admit → dial → accept → run → end. Whatever goes wrong before the 101 is
 * answered in the one catch; after it, every failure is a close code, and the bridge's business. Where a token may come in the
 * first message, admission has the 101 go out before it is judged (`first-message/`): the one catch closes then.
 */
export function createHandshake(deps: HandshakeDeps) {
  return async function handshake(pending: PendingUpgrade): Promise<void> {
    const progress: Progress = { pending, clock: new PhaseClock() };
    const arrived = deps.sessions.arriving((error) => progress.pending.dismiss(error));
    try {
      const dialled = await dial(deps, progress);
      const accepted = accept(deps, progress.pending, dialled);
      // Not awaited here: all that is known of the upgrade would stay in memory for as long as the session.
      void runSession(deps.sessions, accepted);
    } catch (thrown) {
      if (progress.grant) release(progress.grant);
      refuse(deps, progress, thrown);
    } finally {
      arrived();
    }
  };
}

/** Everything that may be refused with an HTTP status, up to an upstream that is ready. */
async function dial(deps: HandshakeDeps, progress: Progress): Promise<Dialled> {
  const { pending, clock } = progress;
  const request = parseUpgrade(pending.head, pending.connection);
  progress.request = request;
  const found = deps.routes.find(request, 'upgrade');
  progress.route = found.route ?? found.other;
  if (found.route === undefined) throw new GatewayError(found.other ? 'UPGRADE_NOT_SERVED' : 'NO_ROUTE');
  const { route, captures } = found;
  if (request.connectTcp !== undefined && !route.config.upstream.connectTcp) throw upgradeRequired();
  if (deps.isDraining()) throw new GatewayError('DRAINING');

  pending.allow(route.config.timeouts.handshake);
  const grant: Grant = { claims: {}, releases: [deps.routes.retain(route)] };
  progress.grant = grant;
  clock.enter('admit');
  await route.admit(withFirstMessage(progress, request, route), grant);
  if (request.connectTcp !== undefined && expectsContinue(request)) pending.proceed();
  clock.enter('dial');
  const { opening } = progress;
  const offering = offeredBy(opening?.isOpen ? opening.asked() : request, route);
  const admitted = route.upgrade.forward.admitted(offering, grant, captures);
  const bridge = await route.upgrade.dial(admitted, progress.pending.signal);
  progress.bridge = bridge;
  if (progress.pending.gone) throw new GatewayError('CLIENT_LOST');
  // A drain that began meanwhile has asked the open connections to close, and would miss this one.
  if (deps.isDraining()) throw new GatewayError('DRAINING');
  return { request, grant, config: route.config, upgrade: route.upgrade, bridge, phases: clock.stop() };
}

/** The upgrade as admission sees it, which may ask for the first message of its client, for which a 101 has to go before. */
function withFirstMessage(progress: Progress, request: UpgradeRequest, { upgrade }: Route): UpgradeRequest {
  if (upgrade?.open === undefined) return request;
  const opening = upgrade.open(progress.pending, request);
  progress.pending = progress.opening = opening;
  async function firstMessage(): Promise<readonly string[]> {
    progress.clock.enter('message');
    try {
      return await opening.tokens();
    } finally {
      progress.clock.enter('admit');
    }
  }
  return { ...request, firstMessage };
}

/** The upgrade, without compression where the route has none: what is not offered, nobody may answer (RFC 7692 §5). */
function offeredBy(request: UpgradeRequest, { config }: Route): UpgradeRequest {
  return config.compression === 'off' ? { ...request, deflateOffer: undefined } : request;
}

/** To hear that it has been let in, while the service is dialled (RFC 9110 §10.1.1). */
function expectsContinue({ headers }: UpgradeRequest): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === 'expect' && /^100-continue$/i.test(value));
}

/** An upgrade that has been let in and has its upstream. */
interface Dialled {
  readonly request: UpgradeRequest;
  readonly grant: Grant;
  readonly config: Route['config'];
  readonly upgrade: UpgradeHandler;
  readonly bridge: Bridge;
  readonly phases: PhaseTimes;
}

/** A session whose bridge runs. */
interface Accepted {
  readonly session: Session;
  readonly running: Promise<Ending>;
  readonly releases: Grant['releases'];
}

/** Writes the 101 and lets the bridge run. Throws only if the 101 cannot be written. */
function accept({ sessions }: HandshakeDeps, pending: PendingUpgrade, dialled: Dialled): Accepted {
  const { request, grant, config, upgrade, bridge, phases } = dialled;
  // From here to `run` nothing is awaited: no event can fall between two listeners.
  const protocol = bridge.accept.protocol ?? harmlessAnswer(grant);
  const client = pending.accept(protocol, fieldsOf(bridge.accept));
  const meter = upgrade.meter(request, grant);
  const session = sessions.open({
    route: config,
    bridge: upgrade.bridge,
    target: bridge.target,
    label: bridge.label,
    chosen: bridge.chosen,
    request,
    grant,
    meter,
    protocol: request.connectTcp ?? protocol,
    offered: protocol === undefined ? shownProtocols(sourcesOf({ config }), request.protocols) : '',
    resumes: bridge.resumes,
    phases,
  });
  const running = bridge.run(client, pending.early, session);
  // A copy: an array that was added to keeps room for sixteen more, for as long as the session lasts.
  return { session, running, releases: [...grant.releases] };
}

/** The harmless half of a token pair: browsers fail a connection that offered subprotocols and got none. */
function harmlessAnswer({ credential }: Grant): string | undefined {
  return credential?.from === 'subprotocol' ? credential.answer : undefined;
}

function fieldsOf({ headers = [], deflate }: Bridge['accept']): readonly HeaderField[] {
  return deflate === undefined ? headers : [...headers, ['Sec-WebSocket-Extensions', deflate]];
}

/** Stays with a session to its end. Never rejects: a bridge that does, against its word, ends its session only. */
async function runSession(sessions: Sessions, { session, running, releases }: Accepted): Promise<void> {
  const { goesOn, ...ending } = await endOf(session, running);
  try {
    sessions.end(session, ending);
  } finally {
    // Not awaited: the session would stay in memory for as long.
    if (goesOn === undefined) release({ releases });
    else void goesOn.then(() => release({ releases }));
  }
}

async function endOf(session: Session, running: Promise<Ending>): Promise<Ending> {
  try {
    return await running;
  } catch (thrown) {
    session.destroy();
    return failed(asGatewayError(thrown));
  }
}

function refuse({ observer, isDraining }: HandshakeDeps, progress: Progress, thrown: unknown): void {
  const { pending, clock, request, route, bridge, opening } = progress;
  const error = pending.gone ? clientLost(thrown) : causeOf(asGatewayError(thrown), isDraining());
  bridge?.abandon();
  const refused = refusedRequest('upgrade', pending.connection, {
    ...progress,
    target: bridge?.target,
    isOpen: opening?.isOpen,
  });
  observer.refused(refused, error, performance.now() - clock.startedAt, clock.stop());
  // No code and no message can be said to who speaks no WebSocket.
  if (request?.connectTcp !== undefined) {
    pending.refuse(error, proxyStatus(error));
    return;
  }
  const told = request && route?.upgrade?.refusal?.(request.protocols, error);
  if (told) pending.refuseByClose(error, told.protocol, told.message);
  else if (request && route?.config.refuse === 'close')
    pending.refuseByClose(error, refusalProtocol(sourcesOf(route), request.protocols));
  else pending.refuse(error);
}

/** An upstream that was given up because the gateway ends has not failed. */
function causeOf(error: GatewayError, isDraining: boolean): GatewayError {
  const isCut = isDraining && error.source === 'upstream' && !error.isAnswer;
  return isCut ? new GatewayError('DRAINING', { cause: error }) : error;
}

/** Where the route looks for tokens. */
function sourcesOf({ config: { auth } }: Pick<Route, 'config'>): readonly TokenSource[] {
  return auth === 'none' ? [] : auth.token;
}
