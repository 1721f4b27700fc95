import type { Grant } from '../admission/grant.ts';
import type { Revocations } from '../admission/revocations.ts';
import type { Tickets } from '../admission/tickets/index.ts';
import type { Verifications } from '../admission/token/verifications.ts';
import type { OpenedVerifier } from '../admission/token/verifier.ts';
import type { Config } from '../config/schema.ts';
import type { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';
import type { Routes } from '../route-table.ts';
import type { Sessions } from '../session/registry.ts';
import type { Commons } from '../store/commons.ts';
import type { Pages } from './pages.ts';

/** Something that the gateway answers itself on its public listeners, to a POST. */
export interface Endpoint {
  /** Its whole path. Log and metrics call it so, in the place of a route. */
  readonly path: string;
  /** Whether it is there for a request; else its path is like one of nothing. Absent: for all. */
  serves?(request: GatewayRequest): boolean;
  /** The pages of other origins that may call it. Absent: none. */
  readonly pages?: Pages;
  /** Nothing is here, and whoever asks is told so; pages may ask beforehand, to hear it. Absent: it answers. */
  readonly refusal?: GatewayError;
  /** Answers, or throws a GatewayError, which is told as any other refusal is. */
  answer(asked: Asked): Promise<Answer>;
}

/** What is asked of an endpoint. */
export interface Asked {
  readonly request: GatewayRequest;
  /** Of the query. */
  readonly parameters: URLSearchParams;
  /** At most 64 KiB. */
  readonly body: Buffer;
  /** Who asks, for the log: what is found out is written here. */
  readonly grant: Grant;
}

/** A 200. */
export interface Answer {
  /** Its body, as JSON; absent: it has none. */
  readonly json?: object;
}

/** What endpoints are made with. */
export interface EndpointDeps {
  readonly config: Config;
  readonly routes: Routes;
  readonly sessions: Sessions;
  readonly commons: Commons;
  readonly revocations: Revocations;
  readonly verifications: Verifications;
  readonly tickets: Tickets;
  /** By the names of `issuers`. */
  readonly verifiers: ReadonlyMap<string, OpenedVerifier>;
}

/** Opens the endpoints of one kind: none where the configuration gives them nothing to do. */
export type OpenEndpoint = (deps: EndpointDeps) => readonly Endpoint[];
