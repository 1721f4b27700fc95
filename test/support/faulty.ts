import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { within } from './patience.ts';
import { freePort } from './ports.ts';
import { switching, Wire } from './raw.ts';

/** Upstreams of every temper, each on a port of 127.0.0.1 that is its own even when it is closed. */

export interface Upstream extends AsyncDisposable {
  readonly port: number;
  /** Connections it has ever had, in order; each reads all that comes. */
  readonly wires: readonly Wire[];
  /** How many of them are open now. */
  readonly open: number;
  /** Resolves with the n-th connection, the first being 0. */
  wire(index?: number): Promise<Wire>;
  close(): Promise<void>;
}

/** A TCP server that does with each connection what it is told, beginning at once. */
export async function startUpstream(
  onWire: (wire: Wire) => void = () => {},
  server: Server = createServer({ allowHalfOpen: true, noDelay: true }),
): Promise<Upstream> {
  const wires: Wire[] = [];
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    const wire = new Wire(socket);
    wires.push(wire);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    onWire(wire);
    server.emit('wire');
  });
  server.listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');

  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
  return {
    port: (server.address() as AddressInfo).port,
    wires,
    get open() {
      return sockets.size;
    },
    async wire(index = 0) {
      while (wires.length <= index) await within(once(server, 'wire'), `connection ${wires.length}`);
      return wires[index] as Wire;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A WebSocket server: accepts each handshake, and goes on as it is told. */
export function startWebSocket(onOpen: (wire: Wire) => void = () => {}, extra = ''): Promise<Upstream> {
  return startUpstream(async function onWire(wire) {
    await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a handshake');
    wire.write(switching(wire.head ?? '', extra));
    onOpen(wire);
  });
}

/** A WebSocket server that sends every data frame back. */
export function startEcho(): Promise<Upstream> {
  return startWebSocket(function onOpen(wire) {
    let sent = 0;
    wire.socket.on('data', function onData() {
      for (; sent < wire.frames.length; sent++) {
        const { opcode, payload, fin } = wire.frames[sent] as Wire['frames'][number];
        if (opcode < 8) wire.send(opcode, payload, { fin });
      }
    });
  });
}

/** A port that nothing listens on, nor ever will. */
export { freePort as deadPort } from './ports.ts';
