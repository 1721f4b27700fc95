import { randomBytes } from 'node:crypto';
import { saySame } from '../../../admission/claims.ts';
import type { RouteConfig } from '../../../config/schema.ts';
import { GatewayError } from '../../../errors.ts';
import { encodeMessage } from '../../../tcp-protocol/encode.ts';
import { offersResume } from '../../../tcp-protocol/offers.ts';
import { RESUME_ID_BYTES, TCP_PROTOCOL } from '../../../tcp-protocol/types.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Reach, Reached } from '../../../upstream/reach.ts';
import { overhearing } from '../../../upstream/starttls/index.ts';
import type { Bridge, Destination, InBandRefusal, SessionHandle } from '../../contract.ts';
import { keyOf, type LingerObserver, Parking } from '../../parking.ts';
import type { ParkingSpace } from '../../parking-space.ts';
import { systemClock } from '../../poll/backoff.ts';
import { destinationOf } from '../destination.ts';
import { Authentication, type Renew } from './authentication.ts';
import { TcpConnection } from './connection.ts';
import type { Entrance, Returning } from './entrance.ts';
import { reasonOf } from './reasons.ts';
import { runVisit } from './visit.ts';

export interface TcpV1Deps {
  readonly reach: Reach;
  /** Judges new tokens. Absent: the route asks for none. */
  readonly renew?: Renew | undefined;
  /** Hears of connections without clients. */
  readonly lingering?: LingerObserver | undefined;
  /** Where those of all routes wait. Absent: there is room for all. */
  readonly space?: ParkingSpace | undefined;
}

const NO_ID = new Uint8Array(RESUME_ID_BYTES);
/** Of a WebSocket that goes on with a connection which it has not named yet. */
const UNNAMED = 'resume';

/** The connections of one route whose clients speak sallyport.tcp.v1 (config/TCP-PROTOCOL.md). */
export class TcpV1 {
  readonly #route: RouteConfig;
  readonly #deps: TcpV1Deps;
  readonly #parking: Parking<TcpConnection>;

  constructor(route: RouteConfig, deps: TcpV1Deps) {
    this.#route = route;
    this.#deps = deps;
    const max = route.upstream.resume?.max ?? 0;
    this.#parking = new Parking({ max, route: route.name, space: deps.space, observer: deps.lingering });
  }

  /** Whether a client that offers these subprotocols is to speak it. */
  speaks(protocols: readonly string[]): boolean {
    return this.#route.upstream.tcpProtocol !== 'off' && protocols.includes(TCP_PROTOCOL);
  }

  /** As Dial; a client that comes back to a connection dials nothing. Rejects with RESUME_GONE where nobody can. */
  async dial(request: AdmittedRequest, signal: AbortSignal): Promise<Bridge> {
    if (offersResume(request.protocols)) return this.#resuming(request);
    return this.#beginning(request, await this.#deps.reach(request, signal));
  }

  /** How a client that speaks it is told that it is refused: accepted first, for scripts see no status. Undefined for others. */
  refusal(protocols: readonly string[], error: GatewayError): InBandRefusal | undefined {
    if (!this.speaks(protocols)) return undefined;
    const message = encodeMessage({ type: 'FAILED', ...reasonOf(error) });
    return { protocol: TCP_PROTOCOL, message: Buffer.from(message) };
  }

  /** Ends the connections that have no client. Resolves when all are over. Never rejects. */
  close(): Promise<void> {
    return this.#parking.close();
  }

  #beginning(request: AdmittedRequest, reached: Reached): Bridge {
    const { socket, release } = reached;
    const entrance: Entrance = {
      withinMs: 0,
      begin: (visitor, session) => {
        const resumeId = this.#route.upstream.resume === undefined ? NO_ID : randomBytes(RESUME_ID_BYTES);
        const connection = this.#open(reached, request, resumeId);
        const { expiresAt = 0, id } = session;
        const resumeMs = this.#route.upstream.resume?.for ?? 0;
        visitor.send({
          type: 'OPENED',
          resumeId,
          resumeMs,
          expiresAt,
          session: id,
          peer: reached.asked ?? '',
        });
        connection.begin(visitor);
        return connection;
      },
      find: gone,
    };
    const bridge = this.#bridge(destinationOf(reached), request, entrance);
    return {
      ...bridge,
      abandon() {
        socket.destroy();
        release();
      },
    };
  }

  #resuming(request: AdmittedRequest): Bridge {
    const { resume } = this.#route.upstream;
    if (resume === undefined) throw gone();
    return this.#bridge({ target: UNNAMED }, request, {
      withinMs: this.#route.timeouts.handshake,
      begin: () => undefined,
      find: (returning, session) => this.#find(returning, request, session),
    });
  }

  #bridge(to: Destination, request: AdmittedRequest, entrance: Entrance): Bridge {
    const { renew } = this.#deps;
    return {
      ...to,
      accept: { protocol: TCP_PROTOCOL },
      run: (socket, head, session) =>
        runVisit({ socket, session, entrance, authentication: new Authentication(request, renew) }, head),
      abandon() {},
    };
  }

  #open(reached: Reached, request: AdmittedRequest, resumeId: Uint8Array): TcpConnection {
    const { socket, namedBy = [], release } = reached;
    // Not the request: it is not to stay in memory while the connection has no client.
    const { claims: own } = request.grant;
    const { timeouts, upstream } = this.#route;
    const parking = this.#parking;
    const isResumable = upstream.resume !== undefined;
    const connection = new TcpConnection({
      socket,
      overhear: overhearing(upstream.tls?.starttls),
      to: destinationOf(reached),
      connectionId: request.connectionId,
      leadsHere: (claims) => saySame(namedBy, own, claims),
      isResumable,
      stallMs: timeouts.stall,
      closeMs: timeouts.close,
      clock: systemClock,
      forMs: upstream.resume?.for ?? 0,
      park: () => (isResumable ? parking.park() : undefined),
      onOver: (outcome) => parking.became(outcome),
    });
    const leave = isResumable ? parking.enter(keyOf(request, secretOf(resumeId)), connection) : () => {};
    void connection.over.then(() => {
      leave();
      release();
    });
    return connection;
  }

  #find(returning: Returning, request: AdmittedRequest, session: SessionHandle): TcpConnection {
    const connection = this.#parking.find(keyOf(request, secretOf(returning.resumeId)));
    if (!connection?.leadsHere(request.grant.claims) || !connection.canResume(returning)) {
      this.#parking.became('gone');
      return gone();
    }
    this.#parking.became(connection.hasClient ? 'taken_over' : 'resumed');
    const { connectionId, awayMs, to } = connection;
    session.goesOn({ connectionId, awayMs }, to);
    return connection;
  }
}

function secretOf(resumeId: Uint8Array): string {
  return Buffer.from(resumeId).toString('hex');
}

function gone(): never {
  throw new GatewayError('RESUME_GONE', {
    sentence: 'The connection that was to be resumed is over: begin a new one.',
  });
}
