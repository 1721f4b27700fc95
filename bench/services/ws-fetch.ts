import { type WebSocket, WebSocketServer } from 'ws';
import { options, serveBoth } from './proxies.ts';

/** A bridge to HTTP as one writes it with `ws` and `fetch`: each message a POST, each answer's body a message, in order. */

const SERVICE = `http://127.0.0.1:${options.echoHttp}/`;
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });

await serveBoth((request, socket, head) => server.handleUpgrade(request, socket, head, bridge));

function bridge(client: WebSocket): void {
  let last = Promise.resolve();
  client.on('message', (data, binary) => {
    last = last
      .then(() => relay(client, data as Buffer<ArrayBuffer>, binary))
      .catch(() => client.terminate());
  });
  client.on('error', () => client.terminate());
}

async function relay(client: WebSocket, body: Buffer<ArrayBuffer>, binary: boolean): Promise<void> {
  const headers = { 'content-type': binary ? 'application/octet-stream' : 'text/plain' };
  const answer = await fetch(SERVICE, { method: 'POST', headers, body });
  client.send(Buffer.from(await answer.arrayBuffer()), { binary });
}
