import { expect, test } from 'vitest';
import { startGuardedExample } from '../support/example.ts';
import { LIBRARIES, runPython, startPython } from '../support/python.ts';

/** Libraries of Debian's Python as services behind the gateway and as clients in front of it, over TLS, with a token in a header. */

const TALKS = LIBRARIES.flatMap((server) => LIBRARIES.map((client) => ({ server, client })));

test.each(TALKS)('$client talks to $server, compressed, and hears its close', async ({ server, client }) => {
  const { port } = await startPython('servers.py', server);
  const guarded = await startGuardedExample('python', { '127.0.0.1:8000': `127.0.0.1:${port}` });
  const url = `wss://localhost:${guarded.gateway.port}/talk`;
  const { code, output, errors } = await runPython('clients.py', client, url, guarded.caFile, guarded.token);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(JSON.parse(output)).toEqual({
    greeting: 'hello alice',
    protocol: 'chat',
    deflate: true,
    same: Array(6).fill(true),
    code: 4001,
    reason: 'that is all',
  });
  expect(await guarded.gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
    by: 'upstream',
    close: 4001,
    subject: 'alice',
  });
});
