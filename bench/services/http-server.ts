import { createServer, type Server, type Socket } from 'node:net';

/** HTTP/1.1 on raw sockets, as much of it as a service behind a proxy needs, so that the service costs little. */

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** The media type of `body`, or the empty string. */
  readonly type: string;
  readonly body: Buffer;
}

/** Answers the request; later is fine, and for a client that has gone does nothing. */
export type Respond = (type: string, body: Buffer) => void;

const BLANK = Buffer.from('\r\n\r\n');

/** A server that hands each request to `handle`. Bodies must have a Content-Length; a client sends one at a time. */
export function httpServer(handle: (request: HttpRequest, respond: Respond) => void): Server {
  return createServer({ noDelay: true }, function onConnection(socket) {
    let waiting: Buffer = Buffer.alloc(0);
    const respond = responder(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', function onData(bytes) {
      waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes]);
      const end = waiting.indexOf(BLANK);
      if (end < 0) return;
      const head = waiting.toString('latin1', 0, end);
      const size = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (waiting.length < end + 4 + size) return;
      const body = waiting.subarray(end + 4, end + 4 + size);
      waiting = waiting.subarray(end + 4 + size);
      handle(requestOf(head, body), respond);
    });
  });
}

function requestOf(head: string, body: Buffer): HttpRequest {
  const pathAt = head.indexOf(' ') + 1;
  return {
    method: head.slice(0, pathAt - 1),
    path: head.slice(pathAt, head.indexOf(' ', pathAt)),
    type: /\ncontent-type: *([^\r]*)/i.exec(head)?.[1] ?? '',
    body,
  };
}

function responder(socket: Socket): Respond {
  return function respond(type, body) {
    if (socket.destroyed) return;
    const head = `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = Buffer.allocUnsafe(head.length + body.length);
    answer.write(head, 'latin1');
    body.copy(answer, head.length);
    socket.write(answer);
  };
}
