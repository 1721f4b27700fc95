import type { Ending, Traffic } from '../bridge/contract.ts';
import type { ErrorCode, GatewayError } from '../errors.ts';
import type { GatewayRequest, RequestKind } from '../http/request.ts';
import type { PhaseTimes } from './phases.ts';

/** What the gateway tells about itself as it works, and to whom: the access log and the metrics are both observers. */

/** One open connection as observers see it; made by `session/`. `up` and `down` go on counting until it ends. */
export interface SessionRecord {
  readonly id: string;
  readonly route: string;
  readonly bridge: 'websocket' | 'tcp' | 'poll' | 'post';
  /** The endpoint it leads to. */
  readonly target: string;
  /** What its bytes are counted under beside its route, one of a closed set; undefined where they are not. */
  readonly label?: string | undefined;
  /** The target in the client's words, and what allows it, where clients choose. */
  readonly asked?: string | undefined;
  readonly rule?: string | undefined;
  /** Who the client is, as its grant says. */
  readonly subject?: string;
  /** `iss` of the token. */
  readonly issuer?: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  /** The version and the cipher that were agreed with the peer; undefined in plain text. */
  readonly tls?: string;
  readonly cipher?: string;
  /** What the client calls itself, fit for a log line. */
  readonly userAgent?: string;
  readonly origin?: string;
  readonly host: string;
  /** The path alone, never the query: tokens travel there. */
  readonly path: string;
  /** The subprotocol named in the 101. */
  readonly protocol?: string;
  /** Where there is none: those that were offered, without credentials. */
  readonly offered?: string | undefined;
  /** Milliseconds for which the session that it goes on with had no client; undefined where it begins one. */
  readonly awayMs?: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly up: Traffic;
  readonly down: Traffic;
  /** Client messages that were taken and not accepted by the service; undefined where that cannot be known, and before the end. */
  readonly undelivered?: number;
}

/** How a plain request was answered. */
export interface ServedRecord {
  readonly route: string;
  /** The endpoint that answered; undefined if the gateway did. */
  readonly target?: string;
  readonly subject?: string;
  readonly issuer?: string;
  readonly status: number;
  /** Of the response's body. */
  readonly bytes: number;
  /** Of the request's body, as far as it was passed on. */
  readonly requestBytes: number;
}

/** What is known of a request that was refused; before it could be parsed, that is little. */
export interface RefusedRequest {
  readonly id: string;
  /** Whether it asked for a WebSocket or came as a plain request. */
  readonly kind: RequestKind;
  /** Its 101 was out already: it was told by a Close. */
  readonly isOpen?: boolean | undefined;
  readonly peerAddress: string;
  readonly tls?: string;
  readonly cipher?: string;
  readonly userAgent?: string;
  readonly clientAddress?: string;
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly origin?: string;
  readonly route?: string;
  /** The endpoint that was ready for it; those that were not are in the error. */
  readonly target?: string;
  readonly subject?: string;
  readonly issuer?: string;
}

/** Why a session ended, where it was not one side's plain Close. For the log, never for the client. */
export interface EndingDetail {
  readonly code?: ErrorCode;
  readonly detail?: string;
  readonly cause?: unknown;
}

/** Hears of every connection and request, once each way. Must not throw and must not wait. */
export interface Observer {
  /** The 101 is written; `phases` are those of its handshake. */
  opened(session: SessionRecord, phases: PhaseTimes): void;
  /**
   * Both sockets are done. The session leaves the registry in the same tick, so that no count sees it twice. With `lingers` in
   * the ending it goes on at its service.
   */
  ended(session: SessionRecord, ending: Ending, durationMs: number, detail?: EndingDetail): void;
  /** A session is over whose last connection, which this is the record of, has ended before it. */
  over(session: SessionRecord, ending: Ending, durationMs: number, detail?: EndingDetail): void;
  /** An upgrade or a plain request was answered with an error of ours, or of the upstream's handshake; `phases` are an upgrade's. */
  refused(request: RefusedRequest, error: GatewayError, durationMs: number, phases?: PhaseTimes): void;
  /** A plain request was answered, by the upstream unless it was a preflight. */
  served(request: GatewayRequest, served: ServedRecord, durationMs: number): void;
}

/** One observer that tells all of `observers`, in their order. */
export function combine(...observers: readonly Observer[]): Observer {
  return {
    opened(session, phases) {
      for (const observer of observers) observer.opened(session, phases);
    },
    ended(session, ending, durationMs, detail) {
      for (const observer of observers) observer.ended(session, ending, durationMs, detail);
    },
    over(session, ending, durationMs, detail) {
      for (const observer of observers) observer.over(session, ending, durationMs, detail);
    },
    refused(request, error, durationMs, phases) {
      for (const observer of observers) observer.refused(request, error, durationMs, phases);
    },
    served(request, served, durationMs) {
      for (const observer of observers) observer.served(request, served, durationMs);
    },
  };
}
