import { Writable } from 'node:stream';
import type { GatewayRequest } from '../../src/http/request.ts';
import type { ServedRecord, SessionRecord } from '../../src/observe/index.ts';

/** A session as `session/` would report it, with `changes` applied. */
export function sessionRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: 's-1',
    route: 'chat',
    bridge: 'websocket',
    target: '10.0.0.7:3000',
    subject: 'ada',
    clientAddress: '203.0.113.7',
    peerAddress: '10.0.0.1',
    origin: 'https://app.example.com',
    host: 'app.example.com',
    path: '/chat/room',
    startedAt: 1_700_000_000_000,
    up: { messages: 0, bytes: 0 },
    down: { messages: 0, bytes: 0 },
    ...changes,
  };
}

/** How a plain request was answered, with `changes` applied. */
export function servedRecord(changes: Partial<ServedRecord> = {}): ServedRecord {
  return { route: 'site', target: '10.0.0.7:3000', status: 200, bytes: 9, requestBytes: 0, ...changes };
}

/** A plain request as `listener/` would make it, with `changes` applied. */
export function gatewayRequest(changes: Partial<GatewayRequest> = {}): GatewayRequest {
  return {
    id: 'r-1',
    connectionId: 'c-1',
    method: 'GET',
    peerAddress: '127.0.0.1',
    clientAddress: '127.0.0.1',
    secure: false,
    isPeerTrusted: false,
    authority: 'app.example.com',
    clientAuthority: changes.authority ?? 'app.example.com',
    host: 'app.example.com',
    path: '/',
    query: undefined,
    origin: undefined,
    headers: [['Host', 'app.example.com']],
    ...changes,
  };
}

/** A stream that keeps what is written to it. */
export class Sink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  /** Every line, parsed; throws if one of them is not JSON. */
  get lines(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }
}
