import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { type Item, MAX_CHANNEL_NAME } from '../../bridge/poll/channels.ts';
import { mayBeSent, NORMAL } from '../../frames/close.ts';
import { badRequest } from '../../http/fields.ts';

/** One item of what is published; `item` is undefined where it has nothing for a WebSocket. */
export interface Published {
  readonly channel: string;
  readonly id: string | undefined;
  readonly item: Item | undefined;
}

const MAX_ID = 255;

const message = z.object({
  action: z.enum(['send', 'close', 'refresh']).default('send'),
  content: z.string().optional(),
  'content-bin': z.base64().optional(),
  type: z.enum(['text', 'binary', 'ping', 'pong']).optional(),
  code: z.int().refine(mayBeSent, 'expected a close code that may be sent').default(NORMAL),
  reason: z.string().default(''),
  // What they would make of it is not known: it must not come as it stands.
  'content-filters': z.array(z.string()).max(0, 'there are no filters that change content').optional(),
});

const publication = z.object({
  items: z.array(
    z.object({
      channel: z.string().min(1).max(MAX_CHANNEL_NAME),
      id: z.string().max(MAX_ID).nullish(),
      meta: z.record(z.string(), z.string()).optional(),
      formats: z.object({ 'ws-message': message.optional() }).optional(),
      // Where items stood before they had formats.
      'ws-message': message.optional(),
    }),
  ),
});

/**
 * Reads what is published in GRIP's form, of which `ws-message` is for WebSockets; the other formats, pings and `prev-id` mean
 * nothing here. Throws BAD_REQUEST with the place of what is wrong.
 */
export function readPublication(body: Buffer): readonly Published[] {
  const { data, error } = publication.safeParse(parse(body));
  const [issue] = error?.issues ?? [];
  if (data === undefined) throw badRequest(`${placeOf(issue?.path)}: ${issue?.message}`);
  return data.items.map((entry, index) => {
    const found = entry.formats?.['ws-message'] ?? entry['ws-message'];
    const item = found && itemOf(found, `items[${index}]`);
    const { channel, id, meta } = entry;
    return { channel, id: id ?? undefined, item: item && meta ? { ...item, meta } : item };
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw badRequest('the body is not JSON in UTF-8');
  }
}

function itemOf(
  { action, code, reason, ...rest }: z.output<typeof message>,
  place: string,
): Item | undefined {
  if (action === 'refresh') return { kind: 'refresh' };
  if (action === 'close') return { kind: 'end', end: { code, reason } };
  const { content, 'content-bin': bytes, type = bytes === undefined ? 'text' : 'binary' } = rest;
  if (type === 'ping' || type === 'pong') return undefined;
  if (content === undefined && bytes === undefined)
    throw badRequest(`${place}: neither content nor content-bin`);
  const data = content === undefined ? Buffer.from(bytes ?? '', 'base64') : Buffer.from(content);
  if (type === 'text' && !isUtf8(data)) throw badRequest(`${place}: a text that is not UTF-8`);
  return { kind: 'message', message: { data, binary: type === 'binary' } };
}

function placeOf(path: readonly PropertyKey[] = []): string {
  const place = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return place.replace(/^\./, '') || 'the body';
}
