import { once } from 'node:events';
import type { Server } from 'node:http';
import { onTestFinished } from 'vitest';
import { portOf } from '../support/servers.ts';

/** Has an application's server listen on a free port of 127.0.0.1, which it returns; closed when the test has finished. */
export async function serve(http: Server): Promise<number> {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return portOf(http);
}
