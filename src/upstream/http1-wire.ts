import { type Dispatcher, Pool } from 'undici';
import type { Connector } from './http-pool.ts';
import type { Wire } from './wire.ts';

/** Speaks HTTP/1.1: one request a connection at a time, so that no answer waits behind a hanging one. */
export function openHttp1(origin: string, connect: Connector): Wire {
  // Polls hang for as long as the service likes, before and amid the answer: only our own timer may cut them.
  const pool = new Pool(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect(_options, callback) {
      connect().then(
        (socket) => callback(null, socket),
        (error) => callback(error, null),
      );
    },
  });
  return {
    isIdle: () => pool.stats.free > 0,
    close: () => pool.destroy(),
    dispatch: (request, handler) => void pool.dispatch(request as Dispatcher.DispatchOptions, handler),
  };
}
