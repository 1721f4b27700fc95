/** The client library: what `import … from 'sallyport/client'` gives, in pages and in Node. */

export type { BackoffOptions } from './backoff.ts';
export { type ConnectOptions, connect, type OpenedConnection, type TcpConnection } from './connect.ts';
export { ConnectionError } from './errors.ts';
export { type CloseEventLike, type ReconnectingEvent, Socket, type SocketOptions } from './socket.ts';
export type { Token } from './token.ts';
export type { OpenWebSocket, WebSocketEvent, WebSocketLike } from './wire.ts';
