import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { generate } from 'selfsigned';
import { PATIENCE_MS, tooLate, within } from './patience.ts';

/** Two ends of connections as a bridge has them: `ours` is what the gateway would hold. */
export interface Pair extends Disposable {
  readonly ours: Socket;
  readonly peer: Socket;
  /** The peer vanishes with a reset. */
  reset(): void;
}

export interface PairMaker extends AsyncDisposable {
  open(): Promise<Pair>;
}

/** Whether the gateway would have accepted its end, through an HTTP upgrade, or dialled it. */
export type Origin = 'accepted' | 'dialled';

const REQUEST = 'GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';

export async function startPairs(origin: Origin, secure: boolean): Promise<PairMaker> {
  const server = origin === 'accepted' ? await httpServer(secure) : await tcpServer(secure);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = origin === 'accepted' ? 'upgrade' : secure ? 'secureConnection' : 'connection';
  const open = new Set<Socket>();

  async function openOne(): Promise<Pair> {
    const accepting = once(server, 'connection') as Promise<[Socket]>;
    const arriving = once(server, connection);
    const raw = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const dialled = secure ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
    if (origin === 'accepted') dialled.write(REQUEST);
    else await once(dialled, secure ? 'secureConnect' : 'connect');
    const arrived = (await within(arriving, `an event ${connection}`)) as Socket[];
    const accepted = (origin === 'accepted' ? arrived[1] : arrived[0]) as Socket;
    const [acceptedRaw] = await accepting;
    for (const socket of [raw, dialled, accepted, acceptedRaw]) {
      open.add(socket.on('error', () => {}));
      socket.once('close', () => open.delete(socket));
    }
    const isOursAccepted = origin === 'accepted';
    return {
      ours: isOursAccepted ? accepted : dialled,
      peer: isOursAccepted ? dialled : accepted,
      reset: () => resetAtOnce(isOursAccepted ? raw : acceptedRaw),
      [Symbol.dispose]() {
        accepted.destroy();
        dialled.destroy();
      },
    };
  }

  return {
    open: openOne,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** `resetAndDestroy` flushes and ends first: the other side may see a FIN, and look no further. */
function resetAtOnce(socket: Socket): void {
  (socket as unknown as { _handle: { reset(): void } })._handle.reset();
  socket.destroy();
}

async function httpServer(secure: boolean): Promise<Server> {
  return secure ? createHttpsServer(await selfSigned()) : createHttpServer();
}

async function tcpServer(secure: boolean): Promise<Server> {
  const options = { allowHalfOpen: true, noDelay: true };
  return secure ? createTlsServer({ ...options, ...(await selfSigned()) }) : createServer(options);
}

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const made = await generate([{ name: 'commonName', value: 'test' }], {
    keyType: 'ec',
    algorithm: 'sha256',
  });
  return { cert: made.cert, key: made.private };
}

/** Resolves at the end of so many turns of the event loop: what has reached this process by then has been read. */
export async function turns(count = 1): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the condition holds, which is looked at once a turn; rejects after `ms`, and names `what`, or shows the condition. */
export async function turnsUntil(
  condition: () => boolean,
  what: string | (() => string) = String(condition),
  ms = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw tooLate(what, ms);
    await turns();
  }
}
