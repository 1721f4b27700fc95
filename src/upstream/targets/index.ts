import type { RouteConfig } from '../../config/schema.ts';
import { isDynamic } from '../../config/tcp/targets.ts';
import type { UpstreamContext } from '../context.ts';
import type { Reach } from '../reach.ts';
import { FixedTargets } from './fixed.ts';
import { FreeTargets } from './free.ts';
import { ListedTargets } from './listed.ts';
import type { TableDeps } from './table.ts';

/** The way to the TCP services of a route, and the undo of what it holds open. */
export interface TcpReach {
  readonly reach: Reach;
  close(): void;
}

/**
 * Opens the way to the TCP services of a route: those that the configuration names, those of its table, or those that clients name
 * themselves. Throws CertificateError or ConfigError if a file that it names does not serve.
 */
export function openTcpReach(config: RouteConfig, context: UpstreamContext, deps: TableDeps): TcpReach {
  const targets = open(config, context, deps);
  return { reach: (request, signal) => targets.reach(request, signal), close: () => targets.close() };
}

function open(config: RouteConfig, context: UpstreamContext, deps: TableDeps): TcpReach {
  const { tcp, targets } = config.upstream;
  if (!isDynamic(tcp)) return new FixedTargets(config, context);
  const { template } = tcp;
  if (targets === undefined) return new FreeTargets(config, template, context);
  return new ListedTargets(config, { template, targets }, context, deps);
}
