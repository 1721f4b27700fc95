import { Socket } from 'node:net';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Claims } from '../../src/admission/claims.ts';
import { GatewayError } from '../../src/errors.ts';
import { parseTarget } from '../../src/http/target.ts';
import { createRouter } from '../../src/router.ts';
import type { Destination } from '../../src/upstream/connect.ts';
import { createUpstreamContext, type UpstreamContext } from '../../src/upstream/context.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';
import { type Addresses, NoSuchName } from '../../src/upstream/names/lookup.ts';
import { Resolver } from '../../src/upstream/names/resolver.ts';
import type { Reached } from '../../src/upstream/reach.ts';
import { openTcpReach } from '../../src/upstream/targets/index.ts';
import type { TableDeps } from '../../src/upstream/targets/table.ts';
import { grantOf, routeConfig, upgradeOf } from './handshakes.ts';

/** What a name stands for, each time it is asked for; undefined: it does not exist. */
export type Names = (name: string) => readonly string[] | undefined;

export interface Options {
  readonly match?: { readonly host?: string; readonly path: string };
  readonly names?: Names;
  readonly auth?: unknown;
  readonly timeouts?: object;
  readonly context?: Partial<UpstreamContext>;
  readonly deps?: Partial<TableDeps>;
}

export interface Visit {
  /** As sent, with its query. */
  readonly url: string;
  readonly host?: string;
  readonly claims?: Claims;
  readonly signal?: AbortSignal;
}

/** The way to the TCP services of a route with this upstream, and every dial that is made; no socket is ever opened. */
export function tcpTargets(upstream: object, options: Options = {}) {
  const { match = { path: '/{host}:{port}' }, names = () => undefined, auth = { issuer: 'main' } } = options;
  const dialled: Destination[] = [];
  const asked: string[] = [];
  const look = async (name: string): Promise<Addresses> => {
    asked.push(name);
    const addresses = names(name);
    if (addresses === undefined) throw new NoSuchName(name, 'ENOTFOUND');
    return { addresses, ttlMs: 1_000 };
  };
  const resolver = new Resolver({ lookups: { dns: look, system: look } });
  const context = createUpstreamContext({
    resolver,
    connect: async (where) => {
      dialled.push(where);
      return new Socket();
    },
    ...options.context,
  });
  const config = routeConfig({ name: 'r', match, auth, upstream, timeouts: options.timeouts ?? {} });
  const files = { watch: () => () => {} };
  const opened = openTcpReach(config, context, { files, logger: pino({ enabled: false }), ...options.deps });
  onTestFinished(() => {
    opened.close();
    resolver.close();
  });
  const find = createRouter([{ match, upgrade: {} }]);

  async function visit({ url, host = 'app.example.com', claims = {}, signal }: Visit): Promise<Reached> {
    const { path, query } = parseTarget(url, 'GET');
    const found = find(host, path, 'upgrade');
    if (found.route === undefined) throw new GatewayError('NO_ROUTE');
    const request = {
      ...upgradeOf({ path, query, host }),
      grant: grantOf({ claims }),
      captures: found.captures,
    };
    return opened.reach(request as unknown as AdmittedRequest, signal ?? new AbortController().signal);
  }

  /** The failure that a visit comes to. Throws if it comes to none. */
  async function refused(given: Visit): Promise<GatewayError> {
    const outcome = await visit(given).then(
      ({ name }) => `reached ${name}`,
      (error: unknown) => error,
    );
    if (outcome instanceof GatewayError) return outcome;
    throw new Error(`not refused: ${outcome}`);
  }

  return { visit, refused, dialled, asked, context, close: () => opened.close() };
}
