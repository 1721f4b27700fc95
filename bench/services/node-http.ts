import { Agent, request as httpRequest } from 'node:http';
import { options, serveBoth } from './proxies.ts';

/** A proxy of Node alone that keeps its connections: the least that any other on Node can cost. */

const agent = new Agent({ keepAlive: true });
await serveBoth(
  (_request, socket) => socket.destroy(),
  (message, response) => {
    const { url: path, method, headers } = message;
    const upstream = httpRequest({ host: '127.0.0.1', port: options.http, path, method, headers, agent });
    upstream.on('error', () => response.destroy());
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(response);
    });
    message.pipe(upstream);
  },
);
