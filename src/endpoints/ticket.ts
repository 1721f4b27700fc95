import { takesTickets, ticketPath } from '../config/tickets.ts';
import { GatewayError } from '../errors.ts';
import type { Answer, Asked, Endpoint, EndpointDeps } from './endpoint.ts';
import { createPace } from './pace.ts';
import { pagesOf } from './pages.ts';
import { type Concerned, routesOf } from './routes-of.ts';

/**
 * A client shows what it proves itself with on a route, and gets a ticket that lets it in there once: for the WebSockets of
 * pages, on which scripts can set no header.
 */

/** Opens `ticket`, where some route takes tickets. */
export function openTicket(deps: EndpointDeps): readonly Endpoint[] {
  const { config, routes, verifications, tickets } = deps;
  if (!config.routes.some(takesTickets)) return [];
  const concerned = routesOf(routes, ({ reproofs }) => reproofs.ticket);
  const takeTurn = createPace();

  async function answer({ request, grant }: Asked): Promise<Answer> {
    const { route, what } = theOne(concerned.meant(request));
    const release = routes.retain(route);
    try {
      const proven = await what.prove(request, grant);
      takeTurn(request, grant);
      const bearer = { route: route.name, client: verifications.keyOf(request.clientAddress) };
      const { ticket, until } = await tickets.give(proven, bearer, what.config);
      return { json: { ticket, expires: new Date(until).toISOString() } };
    } finally {
      release();
    }
  }

  return [
    {
      path: ticketPath(config),
      serves: (request) => concerned.all(request).length > 0,
      pages: pagesOf(concerned.whosePages),
      answer,
    },
  ];
}

function theOne<What>([one, ...others]: readonly Concerned<What>[]): Concerned<What> {
  if (one !== undefined && others.length === 0) return one;
  throw new GatewayError('BAD_REQUEST', {
    sentence: 'Several routes take tickets here: say which it is for, by ?route=NAME.',
  });
}
