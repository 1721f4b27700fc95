import type { Logger } from 'pino';
import { sessionConfigOf } from '../config/poll/index.ts';
import { requestsAtOnce } from '../config/poll/requests-at-once.ts';
import type { Config, RouteConfig } from '../config/schema.ts';
import { connectionsWithin, readDescriptorLimit } from '../listener/descriptors.ts';
import { serviceConnections } from '../observe/admin/guard.ts';

/** How many requests and sessions there may be at a time; says so in the log, and where the limit of open files is too low. */
export async function mostConnections(
  { limits, routes, admin }: Config,
  logger: Logger,
  readLimit = readDescriptorLimit,
): Promise<number> {
  const openFiles = await readLimit();
  const upstream = Math.max(...routes.map(connectionsToUpstream));
  const waiting = parkingWithin(routes, openFiles);
  const fitting = connectionsWithin(openFiles, upstream, serviceConnections(admin) + waiting);
  const connections = limits.connections === 'auto' ? fitting : limits.connections;
  if (connections > fitting)
    logger.warn(
      { connections, openFiles },
      `the limit of open files has room for ${fitting} connections only`,
    );
  if (connections < Infinity) logger.info({ connections, openFiles }, 'connections are bounded');
  return connections;
}

/** How many TCP connections may wait for lost clients at a time, on all routes together: each has a descriptor. */
export async function mostParked({ routes }: Config, readLimit = readDescriptorLimit): Promise<number> {
  return parkingWithin(routes, await readLimit());
}

/** As many as are asked for, if an eighth of all descriptors is enough for them: clients that are there come first. */
function parkingWithin(routes: readonly RouteConfig[], openFiles = Infinity): number {
  const asked = routes.reduce((total, { upstream }) => total + (upstream.resume?.max ?? 0), 0);
  return Math.min(asked, Math.floor(openFiles / 8));
}

/** How many connections to its upstream one client may have open at a time. */
function connectionsToUpstream({ upstream }: RouteConfig): number {
  const session = sessionConfigOf(upstream);
  return session === undefined ? 1 : requestsAtOnce(session);
}
