import type { AddressInfo, Server } from 'node:net';

/** Listens on a free port of 127.0.0.1 and tells the parent which; ends with the parent. */
export function announce(server: Server): void {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
    process.send?.((server.address() as AddressInfo).port);
  });
  process.once('disconnect', () => process.exit());
}
