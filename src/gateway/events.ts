import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import type { Ending } from '../bridge/contract.ts';
import type { GatewayError } from '../errors.ts';
import type { Observer, RefusedRequest, SessionRecord } from '../observe/index.ts';

/** What a program hears of its gateway, with the arguments of each. */
export interface GatewayEvents {
  /** A WebSocket is open. The record's numbers go on counting until it ends. */
  session: [session: SessionRecord];
  /** It has ended, after so many milliseconds. */
  ended: [session: SessionRecord, ending: Ending, durationMs: number];
  /** An upgrade or a plain request was refused. */
  refused: [request: RefusedRequest, error: GatewayError];
}

export interface Events {
  /** Calls `listener` at each such event. Returns the undo. */
  on<E extends keyof GatewayEvents>(event: E, listener: (...what: GatewayEvents[E]) => unknown): () => void;
  readonly observer: Observer;
}

/** Tells a program's listeners. What they throw, or reject with, is theirs: it is logged and touches no connection. */
export function createEvents(logger: Logger): Events {
  const emitter = new EventEmitter({ captureRejections: true });
  function failed(err: unknown, event: string): void {
    logger.error({ err, event }, 'a listener of the gateway’s events failed');
  }
  Object.assign(emitter, { [EventEmitter.captureRejectionSymbol]: failed });
  function tell<E extends keyof GatewayEvents>(event: E, ...what: GatewayEvents[E]): void {
    try {
      emitter.emit(event, ...what);
    } catch (error) {
      failed(error, event);
    }
  }
  const observer: Observer = {
    opened: (session) => tell('session', session),
    ended: (session, ending, durationMs) => tell('ended', session, ending, durationMs),
    refused: (request, error) => tell('refused', request, error),
    over() {},
    served() {},
  };
  return {
    observer,
    on(event, listener) {
      emitter.on(event, listener);
      return () => emitter.off(event, listener);
    },
  };
}
