import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { resetSocket } from '../../src/stream/reset.ts';
import { startUpstream, type Upstream } from './faulty.ts';
import { within } from './patience.ts';
import { BINARY, CLOSE, frame, switching, type Wire } from './raw.ts';

/** The cells of the fault matrix, and the services that stand behind the gateway in them. */

export const BRIDGES = ['websocket', 'tcp', 'poll'] as const;
export const SIDES = ['client', 'upstream'] as const;
export const FAULTS = ['FIN', 'RST', 'silence', 'half-open', 'kill -9'] as const;
export const MOMENTS = [
  'before dial',
  'dialling',
  'before 101',
  'idle',
  'mid-frame',
  'mid-message',
  'closing',
] as const;

export type Fault = (typeof FAULTS)[number];
export type Moment = (typeof MOMENTS)[number];

export interface Cell {
  readonly bridge: (typeof BRIDGES)[number];
  readonly side: (typeof SIDES)[number];
  readonly fault: Fault;
  readonly moment: Moment;
}

/** What the peer without a fault must see: an HTTP status, a close code, a goodbye request, an end, or nothing at all. */
export type Outcome = number | 'goodbye' | 'end' | 'nothing';

/** A service that can fail at a moment of its own choosing. */
export interface Service {
  readonly upstream: Upstream;
  /** Resolves when the gateway has come as far as it can by itself. */
  asked(): Promise<unknown>;
  /** Stops amid a frame, or between two fragments. */
  stop(moment: 'mid-frame' | 'mid-message'): void;
  /** Begins to close. */
  close(): void;
  /** Resolves when it has been asked to close. */
  closing(): Promise<unknown>;
  fail(fault: Fault): void;
  /** Resolves with what it saw of the end. */
  ended(): Promise<Outcome>;
}

/** What a peer does once it is broken. */
export function failWire(wire: Wire, fault: Fault): void {
  wire.polite = false;
  if (fault === 'FIN') wire.socket.end();
  if (fault === 'RST') resetSocket(wire.socket);
  if (fault === 'half-open') wire.socket.pause();
}

/** Half of a frame, or the first of two fragments. */
export function beginning(moment: 'mid-frame' | 'mid-message', masked: boolean): Buffer {
  const options = moment === 'mid-frame' ? { length: 100 } : { fin: false };
  return frame(BINARY, 'half', { masked, ...options });
}

export async function startService({ bridge, moment, side }: Cell): Promise<Service> {
  if (bridge === 'poll') return pollService(moment === 'before 101', side === 'upstream');
  const answers = bridge === 'websocket' && moment !== 'before 101';
  const upstream = await startUpstream(async function onWire(wire) {
    if (bridge === 'tcp') return;
    await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a handshake');
    if (answers) wire.write(switching(wire.head ?? ''));
  });
  return wireService(upstream, bridge === 'websocket', side === 'upstream' && moment === 'closing');
}

/** A service on one connection: a WebSocket server, or one that takes bytes. */
function wireService(upstream: Upstream, isWebSocket: boolean, isRude: boolean): Service {
  const wire = () => upstream.wires[0] as Wire;
  return {
    upstream,
    async asked() {
      const first = await upstream.wire();
      first.polite = !isRude;
      if (isWebSocket) await first.until(() => first.head !== undefined, 'a handshake');
    },
    stop: (moment) => wire().write(beginning(moment, false)),
    close() {
      if (isWebSocket) wire().sendClose(1000);
      else wire().socket.end();
    },
    closing: () =>
      wire().until(() => wire().frames.some(({ opcode }) => opcode === CLOSE) || !!wire().end, 'a Close'),
    fail: (fault) => failWire(wire(), fault),
    async ended() {
      if (upstream.wires.length === 0) return 'nothing';
      return (await wire().ended())?.code ?? 'end';
    },
  };
}

const HOLD_MS = 300;

/** An HTTP service to be polled; once it has failed, it fails on every connection. */
async function pollService(isReluctant: boolean, isFaulty: boolean): Promise<Service> {
  const asked = Promise.withResolvers<void>();
  const goodbye = Promise.withResolvers<void>();
  const cut = Promise.withResolvers<void>();
  const held = new Set<ServerResponse>();
  let failure: Fault | undefined;
  let over = false;

  const server = createServer(function onRequest(request, response) {
    response.on('close', () => held.delete(response));
    held.add(response);
    if (request.method === 'DELETE') goodbye.resolve();
    else if (request.url !== '/open' || isReluctant) asked.resolve();
    if (isReluctant) response.on('close', () => cut.resolve());
    if (failure !== undefined || (isReluctant && request.url === '/open')) return;
    // The one that is to fail at the goodbye does not answer it any more.
    if (request.method === 'DELETE' && isFaulty) return;
    if (request.method === 'GET' && !over) setTimeout(answerNothing, HOLD_MS, response);
    else response.writeHead(over ? 410 : 204).end();
  });
  function answerNothing(response: ServerResponse): void {
    if (failure === undefined && !response.headersSent) response.writeHead(204).end();
  }
  const outside = createTcpServer({ allowHalfOpen: true }, (socket) => server.emit('connection', socket));
  const upstream = await startUpstream((wire) => {
    wire.polite = false;
    if (failure !== undefined) failWire(wire, failure);
  }, outside);

  return {
    upstream,
    asked: () => within(asked.promise, 'a request'),
    stop() {
      for (const response of held) response.writeHead(200, { 'content-length': 100 }).write('half');
    },
    close() {
      over = true;
      for (const response of held) response.writeHead(410).end();
    },
    closing: () => within(goodbye.promise, 'the goodbye'),
    fail(fault) {
      failure = fault;
      for (const wire of upstream.wires) failWire(wire, fault);
    },
    async ended() {
      if (upstream.wires.length === 0) return 'nothing';
      if (isReluctant) return within(cut.promise, 'the end of a request').then(() => 'end');
      return within(goodbye.promise, 'the goodbye').then(() => 'goodbye');
    },
  };
}
