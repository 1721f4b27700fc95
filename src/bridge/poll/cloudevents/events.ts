import { createHmac } from 'node:crypto';
import type { CloudEventsConfig } from '../../../config/poll/index.ts';
import type { HttpRequest } from '../../../upstream/client.ts';
import { fieldText } from '../../../upstream/forward-fields.ts';

/** CloudEvents in binary mode with the attributes that Azure Web PubSub adds to them. */

/** What an event is about: `sys.connect`, `user.message` and the like. */
export interface CloudEvent {
  readonly type: `${'sys' | 'user'}.${string}`;
  readonly contentType: string;
  readonly body: string | Buffer;
}

/** What a session says of itself in every event; what is undefined is not said. */
export interface EventContext {
  readonly userId?: string | undefined;
  readonly subprotocol?: string | undefined;
  /** As the service has set it last. */
  readonly connectionState?: string | undefined;
}

/** Writes the events of one connection, each under an id of its own. */
export type EventWriter = (event: CloudEvent, context: EventContext) => HttpRequest;

type Facts = Pick<CloudEventsConfig, 'path' | 'hub' | 'origin' | 'secret'>;

/** Compiles who writes the events of a connection by its name. */
export function compileEvents({
  path,
  hub,
  origin,
  secret = [],
}: Facts): (connection: string) => EventWriter {
  const place = path ?? `/api/webpubsub/hubs/${hub}/`;
  return function eventsOf(connection) {
    const constant = {
      'webhook-request-origin': origin,
      'ce-specversion': '1.0',
      'ce-awpsversion': '1.0',
      'ce-source': `/hubs/${hub}/client/${connection}`,
      'ce-hub': hub,
      'ce-connectionid': connection,
      ...given({ 'ce-signature': signatureOf(connection, secret) }),
    };
    let count = 0;
    return function writeEvent({ type, contentType, body }, context) {
      const headers = {
        ...constant,
        'ce-type': `azure.webpubsub.${type}`,
        'ce-eventname': type.slice(type.indexOf('.') + 1),
        'ce-id': String(++count),
        'ce-time': new Date().toISOString(),
        ...attributesOf(context),
        'content-type': contentType,
      };
      return { method: 'POST', path: place, headers, body };
    };
  };
}

/** Names are percent-encoded where a field could not carry them, as other claims are. */
function attributesOf({ userId, subprotocol, connectionState }: EventContext): Record<string, string> {
  return given({
    'ce-userid': fieldText(userId),
    'ce-subprotocol': subprotocol,
    'ce-connectionstate': connectionState,
  });
}

/** One for each key, so that keys can be changed one after the other. */
function signatureOf(connection: string, keys: NonNullable<Facts['secret']>): string | undefined {
  const hashes = keys.map((key) => createHmac('sha256', key.reveal()).update(connection).digest('hex'));
  return hashes.length === 0 ? undefined : hashes.map((hash) => `sha256=${hash}`).join();
}

function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const all = Object.entries(fields);
  return Object.fromEntries(all.filter((field): field is [string, string] => field[1] !== undefined));
}
