import type { PollConfig } from '../../config/poll.ts';
import { GatewayError } from '../../errors.ts';
import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import { compileFraming, type Reading } from './framing.ts';
import type { Batch, Message, Profile, ProfileFactory } from './profile.ts';
import { compileSource, required, withCursor } from './source.ts';
import { compileTemplate, type Values, withQuery } from './template.ts';

const NOTHING: Reading = { messages: [], document: () => undefined };

/**
 * The profile that configuration alone describes: plain HTTP requests whose paths are templates, and a cursor if
 * there is one. The client's query goes with `open`; elsewhere only where a path says `{query}`.
 */
export function compileGeneric(config: PollConfig): ProfileFactory {
  const readWhole = compileFraming({ framing: 'body' });
  const readMessages = compileFraming(config.messages);
  const sessionOf = config.open?.session && compileSource(config.open.session);
  const firstCursorOf = config.open?.cursor && compileSource(config.open.cursor);
  const nextCursorOf = config.cursor && compileSource(config.cursor.from);
  const openPath = compileTemplate(config.open?.path ?? '');
  const pollPath = compileTemplate(config.poll.path);
  const sendPath = compileTemplate(config.send?.path ?? '');
  const closePath = compileTemplate(config.close?.path ?? '');
  const hold = String(Math.round(config.poll.hold / 1000));

  return function generic(request: AdmittedRequest): Profile {
    let session: string | undefined;
    let cursor = config.cursor?.initial;

    function values(): Values {
      return { session, cursor, hold, query: request.query, ...request.captures };
    }

    function open(): HttpRequest | undefined {
      if (!config.open) return undefined;
      const path = openPath(values());
      return {
        method: config.open.method,
        path: config.open.path.includes('{query}') ? path : withQuery(path, request.query),
        // Browsers give up on a 101 that takes none of the subprotocols they offered: the service may choose.
        headers:
          request.protocols.length > 0 ? { 'sec-websocket-protocol': request.protocols.join(', ') } : {},
      };
    }

    function opened(answer: HttpAnswer): string | undefined {
      const { document } = readWhole(answer);
      if (sessionOf) session = required(sessionOf(answer, document), 'session');
      if (firstCursorOf) cursor = required(firstCursorOf(answer, document), 'cursor');
      return chosenProtocol(answer, request.protocols);
    }

    function poll(): HttpRequest {
      const base = { method: config.poll.method, path: pollPath(values()), headers: {} };
      return cursor === undefined ? base : withCursor(base, cursor, config.cursor?.send);
    }

    function polled(answer: HttpAnswer): Batch {
      const { messages, document } = answer.status < 300 ? readMessages(answer) : NOTHING;
      const next = nextCursorOf?.(answer, document);
      // The same cursor again would bring the same messages again, for ever.
      if (nextCursorOf && messages.length > 0) required(next, 'cursor');
      return {
        messages,
        moved: messages.length > 0 || (next !== undefined && next !== cursor),
        commit() {
          cursor = next ?? cursor;
        },
      };
    }

    function send({ data, binary }: Message): HttpRequest | undefined {
      if (!config.send) return undefined;
      const headers = { 'content-type': binary ? config.send.binary : config.send.text };
      return { method: config.send.method, path: sendPath(values()), headers, body: data };
    }

    function close(): HttpRequest | undefined {
      return config.close && { method: config.close.method, path: closePath(values()), headers: {} };
    }

    return {
      pollMs: config.poll.hold + config.poll.margin,
      sendMs: config.send?.timeout ?? 0,
      answerSize: config.responseSize,
      resends: config.send?.retry === 'idempotent',
      ...{ open, opened, poll, polled, send, close },
    };
  };
}

/** The subprotocol for the 101, which must be one the client offered (RFC 6455 §4.2.2). Throws UPSTREAM_INVALID. */
function chosenProtocol({ headers }: HttpAnswer, offered: readonly string[]): string | undefined {
  const chosen = headers['sec-websocket-protocol'];
  if (chosen === undefined || offered.includes(chosen)) return chosen;
  throw new GatewayError('UPSTREAM_INVALID', { detail: 'a subprotocol was chosen that was not offered' });
}
