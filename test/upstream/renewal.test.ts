import { once } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import type { Endpoint } from '../../src/upstream/endpoint.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { WatchedCertificates } from '../../src/watched-certificates.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { folder, makeAuthority, makeCertificate, type Pair, writePair } from '../support/certificates.ts';
import { portOf } from '../support/servers.ts';
import { poolRoute } from '../support/upstreams.ts';

/** A service that asks for a certificate, and says whose it was shown. */
async function startService(own: Pair): Promise<Server> {
  const server = createServer(
    { ...own, requestCert: true, rejectUnauthorized: false },
    (socket: TLSSocket) => {
      socket.on('error', () => {}).end(socket.getPeerX509Certificate()?.subject ?? 'nobody');
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

test('renewed certificates and authorities hold for new connections, bad ones for none', async () => {
  const [ca, newCa] = await Promise.all([makeAuthority('one'), makeAuthority('another')]);
  const [service, newService] = await Promise.all([
    startService(await makeCertificate({ dns: ['app.internal'] }, ca)),
    startService(await makeCertificate({ dns: ['app.internal'] }, newCa)),
  ]);
  const path = await folder();
  const me = await writePair(path, 'me', await makeCertificate({ subject: 'CN=gate-1' }));
  const trust = await writePair(path, 'ca', ca);
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  const outcomes: string[] = [];
  const certificates = new WatchedCertificates(files, pino({ enabled: false }), {
    reloaded: (outcome) => outcomes.push(outcome),
  });
  const context = createUpstreamContext({ certificates });
  const targets = [service, newService].map((server) => `wss://127.0.0.1:${portOf(server)}`);
  const tls = { ca: trust.files.cert, servername: 'app.internal', ...me.files };
  const pool = new Pool(poolRoute({ websocket: targets, tls }), 'websocket', context);
  onTestFinished(() => {
    pool.close();
    certificates.close();
    files.close();
  });
  async function seenBy(index: number): Promise<string> {
    const socket = await pool
      .connect(pool.endpoints[index] as Endpoint, AbortSignal.timeout(2_000))
      .catch(() => undefined);
    if (socket === undefined) return 'not believed';
    const [data] = await once(socket, 'data');
    socket.destroy();
    return String(data);
  }

  expect([await seenBy(0), await seenBy(1)]).toEqual(['CN=gate-1', 'not believed']);
  await me.write({ cert: 'garbage' });
  await files.renew();
  expect([await seenBy(0), outcomes]).toEqual(['CN=gate-1', ['refused']]);
  await me.write(await makeCertificate({ subject: 'CN=gate-2' }));
  await trust.write(newCa);
  await files.renew();
  expect([await seenBy(0), await seenBy(1)]).toEqual(['not believed', 'CN=gate-2']);
  expect([...certificates]).toMatchObject([{ listener: '', name: me.files.cert }]);
  pool.close();
  expect([...certificates]).toEqual([]);
});
