import type { IncomingMessage } from 'node:http';
import { type ErrorCode, GatewayError } from '../../errors.ts';
import { badRequest } from '../../http/fields.ts';

/** What Pushpin takes, and four times what is usual for a message. */
const MAX_BYTES = 1024 * 1024;

interface BodyBound {
  /** In bytes. */
  readonly most?: number;
  readonly tooBig?: ErrorCode;
}

/**
 * Reads the body of a request. Rejects with PUSH_TOO_BIG beyond 1 MiB, or with `tooBig` beyond `most` bytes, the rest of it then
 * dropped as it comes; with BAD_REQUEST where it is compressed, and with CLIENT_LOST where it is cut.
 */
export function readBody(request: IncomingMessage, bound: BodyBound = {}): Promise<Buffer> {
  const { most = MAX_BYTES, tooBig = 'PUSH_TOO_BIG' } = bound;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const pieces: Buffer[] = [];
  let size = 0;
  function onData(piece: Buffer): void {
    size += piece.length;
    if (size <= most) pieces.push(piece);
    else refuse(new GatewayError(tooBig));
  }
  function refuse(error: GatewayError): void {
    pieces.length = 0;
    reject(error);
  }
  const onCut = () => refuse(new GatewayError('CLIENT_LOST'));
  request.on('error', onCut).on('close', onCut);
  if (request.destroyed) onCut();
  if (request.headers['content-encoding'] !== undefined) refuse(badRequest('a body must not be compressed'));
  if (Number(request.headers['content-length']) > most) refuse(new GatewayError(tooBig));
  request.on('data', onData).on('end', () => resolve(Buffer.concat(pieces)));
  return promise;
}
