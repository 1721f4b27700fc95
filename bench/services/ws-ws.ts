import { WebSocket, WebSocketServer } from 'ws';
import { serveBoth, upstreamOf } from './proxies.ts';

/** A gateway as one writes it with `ws` on both sides: whole messages, handed over as they come. */

const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });

await serveBoth((request, socket, head) => {
  const upstream = new WebSocket(`ws://127.0.0.1:${upstreamOf(request)}`, { perMessageDeflate: false });
  upstream.once('error', () => socket.destroy());
  upstream.once('open', () => {
    server.handleUpgrade(request, socket, head, (client) => bridge(client, upstream));
  });
});

function bridge(client: WebSocket, upstream: WebSocket): void {
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.on('message', (data, isBinary) => to.send(data, { binary: isBinary }));
    from.on('close', () => to.close());
    from.on('error', () => to.terminate());
  }
}
