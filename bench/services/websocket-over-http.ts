import { httpServer } from './http-server.ts';
import { announce } from './listen.ts';

/**
 * The echo for a proxy that turns WebSockets into requests, one event in each or many: OPEN is accepted by saying OPEN,
 * and a message is sent back by saying it again. So the answer to any request is its own body.
 */
announce(httpServer(({ body }, respond) => respond('application/websocket-events', body)));
