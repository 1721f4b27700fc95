import type { PollConfig } from './index.ts';

/** Profiles that send one message while they poll for others. */
const POLLING: ReadonlySet<PollConfig['profile']> = new Set(['engine.io', 'sockjs', 'bayeux']);

/**
 * Most requests that a session with an HTTP service has under way at a time: over HTTP/1.1 each takes a connection, over
 * HTTP/2 they share one.
 */
export function requestsAtOnce(config: PollConfig): number {
  if (config.http2 === 'on') return 1;
  if (config.profile === undefined || config.profile === 'generic')
    return (config.poll === undefined ? 0 : 1) + (config.send?.concurrency ?? 0);
  if (config.profile === 'aws') return config.concurrency;
  return POLLING.has(config.profile) ? 2 : 1;
}
