import { connect, createServer, type Socket } from 'node:net';
import { portOf } from './servers.ts';

/** Relays of bytes that break. */

export interface CuttingRelay extends AsyncDisposable {
  readonly port: number;
  /** How often it has cut something. */
  readonly cuts: number;
  /** Resets all that is open now; what comes later is relayed. */
  cut(): void;
}

/** Relays the bytes of each connection to a port of this machine, until it is told to cut them. */
export async function startCuttingRelay(target: number): Promise<CuttingRelay> {
  const open = new Set<Socket>();
  let cuts = 0;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    open.add(near);
    near
      .on('error', () => far.destroy())
      .on('close', () => {
        open.delete(near);
        far.destroy();
      });
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  function cut(): void {
    cuts += open.size;
    for (const socket of open) socket.resetAndDestroy();
  }
  return {
    port: portOf(server),
    get cuts() {
      return cuts;
    },
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
