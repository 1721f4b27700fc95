import { type HttpRequest, httpServer, type Respond } from './http-server.ts';
import { announce } from './listen.ts';

/**
 * An echo by long poll: POST /sessions opens a session, POST /sessions/ID takes a message, GET /sessions/ID answers
 * with the oldest message that came, as soon as there is one.
 */

interface Session {
  readonly messages: HttpRequest[];
  /** A poll that waits for a message. */
  held?: Respond;
}

const OPEN = '/sessions';
const NOTHING = Buffer.alloc(0);
const sessions = new Map<string, Session>();
let opened = 0;

announce(httpServer(serve));

function serve(request: HttpRequest, respond: Respond): void {
  if (request.path === OPEN) {
    respond('application/json', open());
    return;
  }
  const session = sessions.get(request.path) ?? { messages: [] };
  if (request.method === 'GET') session.held = respond;
  else respond('text/plain', take(session, request));
  deliver(session);
}

/** Opens a session and says which. */
function open(): Buffer {
  const session = String(++opened);
  sessions.set(`${OPEN}/${session}`, { messages: [] });
  return Buffer.from(JSON.stringify({ session }));
}

function take({ messages }: Session, request: HttpRequest): Buffer {
  // The body is part of a buffer the socket reads into no more, so it may be kept.
  messages.push(request);
  return NOTHING;
}

function deliver(session: Session): void {
  if (session.held === undefined) return;
  const message = session.messages.shift();
  if (message === undefined) return;
  const { held } = session;
  session.held = undefined;
  held(message.type, message.body);
}
