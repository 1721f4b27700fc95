import { connect } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { options, serveBoth } from './proxies.ts';

/** A WebSocket to TCP bridge as one writes it with `ws`: each chunk a message, each message written. */

const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });

await serveBoth((request, socket, head) => server.handleUpgrade(request, socket, head, bridge));

function bridge(client: WebSocket): void {
  const upstream = connect({ port: options.echoTcp, host: '127.0.0.1', noDelay: true });
  client.on('message', (data) => upstream.write(data as Buffer));
  client.on('close', () => upstream.end());
  client.on('error', () => upstream.destroy());
  upstream.on('data', (data) => client.send(data));
  upstream.on('end', () => client.close());
  upstream.on('error', () => client.terminate());
}
