import { httpServer } from './http-server.ts';
import { announce } from './listen.ts';

/** An HTTP service that answers everything with the same 1 KiB. */

const BODY = Buffer.alloc(1024, 'x');

announce(httpServer((_request, respond) => respond('text/plain', BODY)));
