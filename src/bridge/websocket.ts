import type { Socket } from 'node:net';
import type { RouteConfig } from '../config/schema.ts';
import { cgiSpelling } from '../http/header-classes.ts';
import { withParameters } from '../http/query.ts';
import type { HeaderField } from '../http/request.ts';
import { compileAnswerFields } from '../upstream/answer-fields.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import type { Concealment } from '../upstream/concealment.ts';
import { dial } from '../upstream/dial.ts';
import type { Endpoint } from '../upstream/endpoint.ts';
import type { AdmittedRequest } from '../upstream/forward.ts';
import { type Offer, type OpenedUpstream, openWebSocket } from '../upstream/handshake.ts';
import { compileHost } from '../upstream/host.ts';
import type { Pool } from '../upstream/pool.ts';
import { requestTarget } from '../upstream/target.ts';
import type { Bridge, Dial } from './contract.ts';
import { withoutGreeting } from './greeting.ts';
import { leased } from './leased.ts';
import { relay } from './relay.ts';

/**
 * The bridge to an upstream that speaks WebSocket itself: the pool is one of `websocket`, or of `http`; `concealment` is that
 * of the route's credentials.
 */
export function createWebSocketDial(route: RouteConfig, pool: Pool, concealment?: Concealment): Dial {
  const { upstream } = route;
  const policy = createPolicy(upstream.balance ?? 'least-connections');
  const hostOf = compileHost(upstream.host);
  const answerFieldsFor = compileAnswerFields(upstream, concealment);
  const leads = (upstream.credentials ?? []).flatMap(({ subprotocol }) => subprotocol ?? []);

  return async function dialWebSocket(request, signal) {
    function join(socket: Socket, { target }: Endpoint, share: AbortSignal) {
      const host = hostOf(request, target);
      const answerFields = answerFieldsFor({ request, target, host, answer: 'handshake' });
      const asking = withProof(request);
      const path = requestTarget(target, asking, route);
      const opened = openWebSocket(
        socket,
        { ...offerOf(asking, path, host), answerFields, concealment },
        share,
      );
      const { greeted } = request;
      return greeted === undefined ? opened : opened.then((one) => withoutGreeting(one, greeted, share));
    }
    const { value: opened, lease } = await dial(pool, { policy, asking: request, signal, join });
    const target = lease.endpoint.name;
    const bridge = bridgeTo({ ...opened, target }, nameable(request, opened.protocol, leads));
    return leased(bridge, () => lease.release());
  };
}

/** The upgrade with what the gateway proves itself with now, where it does: a refusal that may repeat it must be readable. */
function withProof(request: AdmittedRequest): AdmittedRequest {
  const proof = request.proof?.();
  if (proof === undefined) return request;
  return {
    ...request,
    query: withParameters(request.query, proof.query),
    protocols: [...request.protocols, ...proof.protocols],
    upstreamHeaders: [...request.upstreamHeaders.filter(isNoCoding), PLAINLY, ...proof.fields],
  };
}

const PLAINLY: HeaderField = ['Accept-Encoding', 'identity'];

function isNoCoding([name]: HeaderField): boolean {
  return cgiSpelling(name.toLowerCase()) !== 'accept-encoding';
}

function offerOf(request: AdmittedRequest, target: string, host: string): Offer {
  return {
    target,
    headers: [['Host', host], ...request.upstreamHeaders],
    protocols: request.protocols,
    deflate: request.deflateOffer,
  };
}

/**
 * What the 101 may name of the upstream's choice. Many upstreams take the first protocol offered; where the route
 * forwards the token, that may be the one which carries it. Where the client has offered none it knows, that may be the one
 * which carries the gateway's own credential, behind one of `leads`: it has chosen nothing then.
 */
function nameable(
  { grant, protocols }: AdmittedRequest,
  chosen: string | undefined,
  leads: readonly string[],
): string | undefined {
  if (leads.some((lead) => chosen?.startsWith(lead))) return protocols[0];
  const credentials = [grant.credential, ...(grant.copies ?? [])];
  const isCarrier = credentials.some(
    (credential) => credential?.from === 'subprotocol' && credential.carriers.includes(chosen ?? ''),
  );
  return isCarrier ? undefined : chosen;
}

function bridgeTo(
  { target, socket, head, deflate, fields }: OpenedUpstream & Pick<Bridge, 'target'>,
  protocol: string | undefined,
): Bridge {
  return {
    target,
    accept: { protocol, deflate, headers: fields },
    run: (client, clientHead, session) =>
      relay(
        { client, clientHead, upstream: socket, upstreamHead: head, deflate: deflate !== undefined },
        session,
      ),
    abandon: () => socket.destroy(),
  };
}
