import type { RouteConfig } from '../../config/schema.ts';
import type { UpstreamKind } from '../../config/upstream-kinds.ts';
import { RelayedAnswer } from '../../http/relayed-answer.ts';
import { trustSource } from '../../tls-trust.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import { statusAt } from '../../upstream/health/http.ts';
import { probeTcp } from '../../upstream/health/tcp.ts';
import { shakeHandsWith } from '../../upstream/health/websocket.ts';
import type { Pool } from '../../upstream/pool.ts';
import { requestTarget, type Target } from '../../upstream/target.ts';

/** What one address of a target is asked, by its kind. */

interface Told {
  readonly text: string;
  /** Of HTTP, if it is what was answered. */
  readonly status?: number;
}

type Ask = (pool: Pool, endpoint: Endpoint, path: string, signal: AbortSignal) => Promise<Told>;

const ASKS: Readonly<Record<UpstreamKind, Ask>> = {
  websocket: askWebSocket,
  tcp: askTcp,
  poll: askHttp,
  post: askHttp,
  http: askHttp,
};

/** What a service may say to a handshake without the token, the query or the path that clients bring. */
export const MAY_WANT_MORE: readonly number[] = [400, 401, 403, 404];

/**
 * Asks what the gateway would ask for a client that brings nothing: for a WebSocket handshake, for a page over HTTP, for
 * a connection where that is all. Resolves with what came of it; rejects with an Error if no client can be served there.
 */
export async function ask(
  pool: Pool,
  endpoint: Endpoint,
  { kind, path }: { readonly kind: UpstreamKind; readonly path: string },
  signal: AbortSignal,
): Promise<string> {
  const [outcome] = await Promise.allSettled([ASKS[kind](pool, endpoint, path, signal)]);
  const isDoubtful = outcome.status === 'rejected' || outcome.value.status === 400;
  if (kind !== 'tcp' && isDoubtful && (await speaksTls(pool, endpoint, signal)))
    throw new Error(`it speaks TLS: write ${kind === 'websocket' ? 'wss' : 'https'}://`);
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value.text;
}

/** The path, with its query, that a target is asked for: as health checks are configured, or as a client might be led there. */
export function pathFor({ match, upstream }: RouteConfig, kind: UpstreamKind, target: Target): string {
  if (upstream.health?.path !== undefined) return upstream.health.path;
  if (kind === 'poll' || kind === 'post') return target.base?.pathname ?? '/';
  return requestTarget(target, { ...placeIn(match), query: undefined }, { match, upstream });
}

/** A path that leads to a route, and what that captures of it: each part that a client chooses stands for itself by its name. */
export function placeIn({ path }: RouteConfig['match']): Pick<AdmittedRequest, 'path' | 'captures'> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return {
    path: path.replace(/\{(\w+)\}/g, '$1').replace(/\*$/, ''),
    captures: Object.fromEntries(names.map((name) => [name, name])),
  };
}

async function askTcp(...[pool, endpoint, path, signal]: Parameters<Ask>): Promise<Told> {
  await probeTcp(pool, endpoint, path, signal);
  return { text: 'connects' };
}

async function askHttp(...[pool, endpoint, path, signal]: Parameters<Ask>): Promise<Told> {
  const status = await statusAt(pool, endpoint, path, signal);
  return { status, text: `answers ${status}` };
}

async function askWebSocket(...[pool, endpoint, path, signal]: Parameters<Ask>): Promise<Told> {
  try {
    const { socket } = await shakeHandsWith(pool, endpoint, path, signal);
    socket.destroy();
    return { text: 'shakes hands' };
  } catch (thrown) {
    if (!(thrown instanceof RelayedAnswer)) throw thrown;
    const { status } = thrown;
    if (!MAY_WANT_MORE.includes(status)) throw new Error(`answers ${status} to a WebSocket handshake`);
    return { status, text: `answers ${status}: it may want what clients bring` };
  }
}

/** For the handshake: a service that speaks no TLS may wait for more of it. */
const TLS_MS = 1_000;

/** Whether plain text has gone to a service that wants TLS: many close then without a word. */
async function speaksTls(
  { context }: Pool,
  { target, address }: Endpoint,
  signal: AbortSignal,
): Promise<boolean> {
  if (target.secure || target.socketPath !== undefined) return false;
  const { trust } = trustSource({ verify: 'off' }).read();
  const servername = target.host === address ? '' : target.host;
  try {
    const where = { host: address, port: target.port, tls: { ...trust, servername } };
    const soon = AbortSignal.any([signal, AbortSignal.timeout(TLS_MS)]);
    (await context.connect(where, soon)).destroy();
    return true;
  } catch {
    return false;
  }
}
