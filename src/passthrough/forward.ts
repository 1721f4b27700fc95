import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Cors, createCors, isPreflight } from '../admission/cors.ts';
import type { Grant } from '../admission/grant.ts';
import type { RouteConfig } from '../config/schema.ts';
import { asGatewayError, clientLost } from '../errors.ts';
import { withParameters } from '../http/query.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { AnswerFields } from '../upstream/answer-fields.ts';
import { createPolicy } from '../upstream/balance/index.ts';
import type { Asking, Policy } from '../upstream/balance/policy.ts';
import type { Credentials, Proof } from '../upstream/credentials.ts';
import { compileForward, type Forward } from '../upstream/forward.ts';
import type { Connected, HttpPool } from '../upstream/http-pool.ts';
import { requestTarget } from '../upstream/target.ts';
import { exchangeOver } from './attempts.ts';
import type { PlainClient } from './client.ts';
import type { Order, Served, Times } from './exchange.ts';
import { bodyOf, compileHead, type HeadOf, isBodiless } from './head.ts';
import { compileTrailers, takesTrailers } from './trailers.ts';

/** What was sent to the client, and the endpoint it came from. */
export interface ServedBy extends Served {
  readonly target: string;
}

/** Brings the requests of one route to endpoints of its pool, and their answers back. */
export class Forwarder {
  readonly #route: RouteConfig;
  readonly #http: HttpPool<PlainClient>;
  readonly #cors: Cors;
  readonly #policy: Policy;
  readonly #seen: Forward;
  readonly #headOf: HeadOf;
  /** Of every request of the route. */
  readonly #rules: Pick<Order, 'times' | 'trailersOf' | 'reasonOf'>;

  constructor(route: RouteConfig, http: HttpPool<PlainClient>, credentials?: Credentials) {
    this.#route = route;
    this.#http = http;
    this.#cors = createCors(route);
    this.#policy = createPolicy(route.upstream.balance ?? 'round-robin');
    this.#seen = compileForward(route, 'http', credentials);
    this.#headOf = compileHead(route.upstream, this.#seen, credentials?.concealment);
    const concealment = credentials?.concealment;
    const trailersOf = compileTrailers(route, concealment);
    const reasonOf: Order['reasonOf'] = ({ statusCode = 0, statusMessage = '' }) =>
      concealment?.reason(statusCode, statusMessage) ?? statusMessage;
    this.#rules = { times: timesOf(route), trailersOf, reasonOf };
  }

  /** Rejects as `serve` of the passthrough does. */
  async forward(
    request: GatewayRequest,
    grant: Grant,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<ServedBy> {
    const { present: hasBody, framing } = bodyOf(message);
    const expect = isHttp10(message) ? undefined : message.headers.expect;
    const trailers = !isHttp10(message) && takesTrailers(message);
    const bare = this.#seen.withoutToken(request, grant);
    const { clientAddress, origin, path, query, headers } = bare;
    // A server that looks for no body with this method would read it as the connection's next request.
    const isOnce = hasBody && isBodiless(request.method);
    const asking = { clientAddress, origin, path, headers, grant };
    const found = this.#connect(asking, response, isOnce);
    const { lease, client } = found instanceof Promise ? await found : found;
    const { name, target } = lease.endpoint;
    try {
      const proof = this.#proof(request, grant);
      const head = this.#headOf({ request: bare, grant, proof, target, framing, trailers });
      // Made anew from what may be said upstream: http-proxy copies `headers` whole, hop-by-hop fields included.
      message.headers = head.headers;
      const asked = { path, query: proof ? withParameters(query, proof.query) : query, captures: {} };
      const upstreamPath = requestTarget(target, asked, this.#route);
      const answerFields: AnswerFields = (raw, status) =>
        this.#cors.answer(head.answerFields(raw, status), request);
      const order = { message, response, path: upstreamPath, hasBody, expect, trailers };
      const isHeadOnly = grant.isUnproven === true;
      const carried = { ...order, ...this.#rules, isOnce, isHeadOnly, answerFields };
      return { ...(await exchangeOver(client, carried)), target: name };
    } catch (thrown) {
      const error = asGatewayError(thrown);
      error.dials = [{ target: name, error }];
      throw error;
    } finally {
      this.#http.release(lease);
    }
  }

  /**
   * None goes with a TRACE, for whoever answers it repeats all that has been sent (RFC 9110 §9.3.8), nor with a preflight,
   * which asks for nothing that needs one.
   */
  #proof(request: GatewayRequest, grant: Grant): Proof | undefined {
    const proof = this.#seen.proof(grant);
    return proof === undefined || request.method === 'TRACE' || isPreflight(request) ? undefined : proof();
  }

  /** A connection for the request, at once if there is one. Rejects with CLIENT_LOST if the client leaves while it is made. */
  #connect(
    asking: Asking,
    response: ServerResponse,
    isFresh: boolean,
  ): Connected<PlainClient> | Promise<Connected<PlainClient>> {
    const limit = new Limit(response, this.#route.timeouts.handshake);
    const found = this.#http.connect(this.#policy, asking, () => limit.start(), isFresh);
    return found instanceof Promise ? limit.over(found) : found;
  }
}

/** Without a byte either way, where the route says nothing of it. */
const DEFAULT_IDLE_MS = 60_000;

function timesOf({ timeouts, limits: { uploads } }: RouteConfig): Times {
  const { response, stall } = timeouts;
  // A mapping is about the sides of WebSockets.
  const idle = typeof timeouts.idle === 'number' ? timeouts.idle : DEFAULT_IDLE_MS;
  return { response, idle, stall, pace: uploads === 'off' ? undefined : uploads };
}

/** It knows of no interim answers, expectations and chunks. */
function isHttp10({ httpVersion }: IncomingMessage): boolean {
  return httpVersion === '1.0';
}

/** The time of one dial: it ends after `ms`, or when the client leaves. */
class Limit {
  readonly #response: ServerResponse;
  readonly #ms: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, ms: number) {
    this.#response = response;
    this.#ms = ms;
  }

  start(): AbortSignal {
    this.#controller = new AbortController();
    this.#timer = setTimeout(this.#abort, this.#ms);
    this.#response.once('close', this.#abort);
    if (this.#response.destroyed) this.#abort();
    return this.#controller.signal;
  }

  /** What was dialled within it. Rejects with CLIENT_LOST if the client has left. */
  async over<T>(dialled: Promise<T>): Promise<T> {
    try {
      return await dialled;
    } catch (error) {
      throw this.#response.destroyed ? clientLost(error) : error;
    } finally {
      clearTimeout(this.#timer);
      this.#response.off('close', this.#abort);
    }
  }

  readonly #abort = (): void => this.#controller?.abort();
}
