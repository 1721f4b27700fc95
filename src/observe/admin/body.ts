import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../../errors.ts';
import { badRequest } from '../../http/fields.ts';

/** What Pushpin takes, and four times what is usual for a message. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the body of a request. Rejects with PUSH_TOO_BIG beyond 1 MiB, the rest of it then dropped as it comes; with
 * BAD_REQUEST where it is compressed, and with CLIENT_LOST where it is cut.
 */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const pieces: Buffer[] = [];
  let size = 0;
  function onData(piece: Buffer): void {
    size += piece.length;
    if (size <= MAX_BYTES) pieces.push(piece);
    else refuse(new GatewayError('PUSH_TOO_BIG'));
  }
  function refuse(error: GatewayError): void {
    pieces.length = 0;
    reject(error);
  }
  const onCut = () => refuse(new GatewayError('CLIENT_LOST'));
  request.on('error', onCut).on('close', onCut);
  if (request.destroyed) onCut();
  if (request.headers['content-encoding'] !== undefined) refuse(badRequest('a body must not be compressed'));
  if (Number(request.headers['content-length']) > MAX_BYTES) refuse(new GatewayError('PUSH_TOO_BIG'));
  request.on('data', onData).on('end', () => resolve(Buffer.concat(pieces)));
  return promise;
}
