import type { IncomingHttpHeaders } from 'node:http';
import type { HttpRequest } from './client.ts';
import type { EndpointClient } from './http-pool.ts';

/** The hold on one request that has begun to leave. */
export interface RequestControl {
  pause(): void;
  resume(): void;
  /** Nothing more of its answer is told. */
  abort(reason: Error): void;
}

/** Follows one request. What undici calls of its own handlers. */
export interface ResponseHandler {
  /** Called in the same breath as the request is written; `abort` within it keeps it from being written. */
  onRequestStart(control: RequestControl): void;
  /** Perhaps of 1xx answers, too, before the one that counts (RFC 9110 §15.2). */
  onResponseStart(control: RequestControl, status: number, headers: IncomingHttpHeaders): void;
  onResponseData(control: RequestControl, piece: Buffer): void;
  /** The answer is whole. */
  onResponseEnd(): void;
  /** There will be no more of it; `NotProcessed`: and the service has not acted on the request. */
  onResponseError(control: unknown, error: Error): void;
}

/** The service says that it has not acted on a request, nor will (RFC 9113 §8.7). */
export class NotProcessed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'NotProcessed';
  }
}

/** Connections to one endpoint in one version of HTTP, or in that which the endpoint chooses. */
export interface Wire extends EndpointClient {
  /** Sends a request once, and never again by itself. Must not throw. */
  dispatch(request: HttpRequest, handler: ResponseHandler): void;
}
