import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { Message } from '../profile.ts';

/** What a service says to the gateway by GRIP, in a text of its own among its messages: JSON behind `c:`. */

/** As Pushpin has it. */
const DEFAULT_TIMEOUT_S = 55;
/** It counts in seconds: no client is written to more often. */
const SHORTEST_TIMEOUT_S = 1;

const channel = z.string().min(1);

const keepAlive = z.object({
  type: z.literal('keep-alive'),
  content: z.string().optional(),
  'content-bin': z.base64().optional(),
  'message-type': z.enum(['text', 'binary', 'ping', 'pong']).default('text'),
  timeout: z.number().max(86_400).optional(),
  mode: z.string().optional(),
});

const control = z.discriminatedUnion('type', [
  z.object({ type: z.literal('subscribe'), channel, filters: z.array(z.string()).default([]) }),
  z.object({ type: z.literal('unsubscribe'), channel }),
  z.object({ type: z.literal('detach') }),
  z.object({
    type: z.literal('set-meta'),
    name: z.string().min(1).max(256),
    value: z.string().max(1024).optional(),
  }),
  keepAlive.transform(asBeat),
]);

/** A message that the client is sent again and again; undefined: none any more. */
export interface Beat {
  readonly type: 'keep-alive';
  readonly message: Message | undefined;
  readonly everyMs: number;
  /** Only where nothing else was sent for that long. */
  readonly whenIdle: boolean;
}

export type Control = z.output<typeof control>;

/** Reads a control message; undefined for one that is malformed or unknown, which counts for nothing, as with Pushpin. */
export function readControl(text: string): Control | undefined {
  try {
    return control.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function asBeat({ timeout = 0, mode, ...rest }: z.output<typeof keepAlive>): Beat {
  const everyMs = (timeout > 0 ? Math.max(timeout, SHORTEST_TIMEOUT_S) : DEFAULT_TIMEOUT_S) * 1000;
  return { type: 'keep-alive', message: messageOf(rest), everyMs, whenIdle: mode !== 'interval' };
}

/** Pings are the gateway's own. */
function messageOf({
  content,
  'content-bin': coded,
  'message-type': type,
}: Pick<z.output<typeof keepAlive>, 'content' | 'content-bin' | 'message-type'>): Message | undefined {
  const data = coded === undefined ? content : Buffer.from(coded, 'base64');
  if (data === undefined || type === 'ping' || type === 'pong') return undefined;
  const binary = type === 'binary';
  if (!binary && typeof data !== 'string' && !isUtf8(data)) return undefined;
  return { data: binary ? Buffer.from(data) : data, binary };
}
