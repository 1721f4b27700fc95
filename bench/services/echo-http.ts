import { httpServer } from './http-server.ts';
import { announce } from './listen.ts';

/** An HTTP service that answers a request with its own body, of the same type. */
announce(httpServer(({ type, body }, respond) => respond(type, body)));
