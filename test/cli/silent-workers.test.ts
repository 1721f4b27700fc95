import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';
import { listenAt, socketPath } from '../support/sockets.ts';

/** Of several processes one may be too busy to say what it has. */

test.each([
  ['sessions', { sessions: [], open: 0, silent: [2] }, 'no open sessions\n'],
  ['upstreams', { upstreams: [], more: 0, silent: [2] }, 'no upstreams are known\n'],
])('%s says which worker is missing', async (command, answer, out) => {
  const socket = await socketPath();
  await listenAt(
    socket,
    createServer((_, response) => void response.end(JSON.stringify(answer))),
  );
  const folder = await folderWith({
    'gate.yaml': `listeners: []
admin: { socket: ${socket}, secret: a-secret-of-operators-on-this-machine }
routes: [{ name: a, match: { path: /a }, auth: none, upstream: { websocket: "ws://127.0.0.1:9" } }]
`,
  });
  expect(await sallyport([command, join(folder, 'gate.yaml')])).toEqual({
    code: 0,
    out,
    err: 'sallyport: worker 2 did not answer in time: what it has is missing here\n',
  });
});
