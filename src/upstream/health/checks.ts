import type { HealthConfig } from '../../config/pool.ts';
import type { UpstreamKind } from '../../config/upstream-kinds.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Pool } from '../pool.ts';
import { probeHttp } from './http.ts';
import type { Probe } from './probe.ts';
import { probeTcp } from './tcp.ts';
import { probeWebSocket } from './websocket.ts';

/** How each kind of upstream is asked. */
const PROBES: Readonly<Record<UpstreamKind, Probe>> = {
  websocket: probeWebSocket,
  tcp: probeTcp,
  poll: probeHttp,
  post: probeHttp,
  http: probeHttp,
};

/**
 * Asks every endpoint of a pool, over and over, whether it is well: the first time somewhere in the first interval,
 * so that the gateways of a fleet do not ask in step. Returns its own undo.
 */
export function startChecks(pool: Pool, kind: UpstreamKind, health: HealthConfig): () => void {
  const stops = new Map<Endpoint, () => void>();
  pool.follow({
    added: (endpoint) => stops.set(endpoint, keepChecking(pool, endpoint, PROBES[kind], health)),
    removed(endpoint) {
      stops.get(endpoint)?.();
      stops.delete(endpoint);
    },
  });
  return function stop() {
    for (const each of stops.values()) each();
    stops.clear();
  };
}

function keepChecking(pool: Pool, endpoint: Endpoint, probe: Probe, health: HealthConfig): () => void {
  const { standing } = endpoint;
  const { now, random } = pool.context;
  let probing: AbortController | undefined;
  let isStopped = false;
  let timer = setTimeout(check, random() * health.every).unref();

  async function check(): Promise<void> {
    const startedAt = now();
    const controller = new AbortController();
    probing = controller;
    const limit = setTimeout(() => controller.abort(), health.within).unref();
    try {
      await probe(pool, endpoint, health.path, controller.signal);
      if (!isStopped) standing.passCheck(now());
    } catch (thrown) {
      if (!isStopped) standing.failCheck(health.after, thrown);
    }
    clearTimeout(limit);
    if (isStopped) return;
    timer = setTimeout(check, Math.max(health.every - (now() - startedAt), 1)).unref();
  }

  return function stop() {
    isStopped = true;
    clearTimeout(timer);
    probing?.abort();
  };
}
