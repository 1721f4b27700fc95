import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { AuthService, type ExternalConfig } from '../../../src/admission/external/service.ts';
import type { GatewayError } from '../../../src/errors.ts';
import { WatchedCertificates } from '../../../src/watched-certificates.ts';
import { WatchedFiles } from '../../../src/watched-files.ts';
import { externalConfig, startAuthService } from '../../support/auth-service.ts';
import { folder, makeAuthority, makeCertificate, type Pair, writePair } from '../../support/certificates.ts';

/** Ways to another service: TLS as a route's upstreams have it, and unix sockets. */

let ours: Pair;
let others: Pair;
let me: Pair;

beforeAll(async () => {
  [ours, others] = await Promise.all([makeAuthority('ours'), makeAuthority('others')]);
  me = await makeCertificate({ subject: 'CN=gate-1' });
});

/** A service with a certificate of this authority; its answer says whom it was shown. */
async function startSecure(authority: Pair): Promise<string> {
  const own = await makeCertificate({ dns: ['auth.internal'] }, authority);
  const server = createSecureServer({ ...own, requestCert: true, rejectUnauthorized: false });
  const service = await startAuthService(server);
  service.answer = (response, { socket }) => {
    const shown = (socket as TLSSocket).getPeerX509Certificate()?.subject ?? 'nobody';
    response.setHeader('x-shown', shown).end();
  };
  return `https://127.0.0.1:${service.port}/auth`;
}

type Parts = ConstructorParameters<typeof AuthService>;

/** What a service is shown, or why it is not believed. */
async function shownTo(config: Partial<ExternalConfig> & { url: string }, certificates?: Parts[2]) {
  const service = new AuthService(externalConfig(config), undefined, certificates);
  onTestFinished(() => service.close());
  return askedOnce(service);
}

function askedOnce(service: AuthService): Promise<unknown> {
  return service.ask([], 'a').then(
    ({ fields }) => fields[fields.indexOf('x-shown') + 1],
    ({ cause }: GatewayError) => (cause as Error).message,
  );
}

test('is believed by its authority and its name, and shown our certificate', async () => {
  const url = await startSecure(ours);
  const path = await folder();
  const { files: ca } = await writePair(path, 'ca', ours);
  const { files: other } = await writePair(path, 'other', others);
  const { files: own } = await writePair(path, 'me', me);
  const named = { ca: ca.cert, servername: 'auth.internal' };
  expect(await shownTo({ url, tls: named })).toBe('nobody');
  expect(await shownTo({ url, tls: { ...named, ...own } })).toBe('CN=gate-1');
  expect(await shownTo({ url, tls: { verify: 'off' } })).toBe('nobody');
  expect(await shownTo({ url, tls: { ...named, ca: other.cert } })).toContain('auth.external.tls.ca');
  expect(await shownTo({ url, tls: { ca: ca.cert } })).toContain('auth.external.tls.servername');
});

test('is believed by what its authorities are now, on new connections', async () => {
  const [url, newUrl] = await Promise.all([startSecure(ours), startSecure(others)]);
  const path = await folder();
  const { files: ca } = await writePair(path, 'ca', ours);
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  const certificates = new WatchedCertificates(files, pino({ enabled: false }), { reloaded() {} });
  onTestFinished(() => {
    certificates.close();
    files.close();
  });
  const tls = { ca: ca.cert, servername: 'auth.internal' };
  const [service, renewed] = [url, newUrl].map(
    (one) => new AuthService(externalConfig({ url: one, tls }), undefined, certificates),
  ) as [AuthService, AuthService];
  onTestFinished(async () => {
    await service.close();
    await renewed.close();
  });
  expect(await askedOnce(service)).toBe('nobody');
  expect(await askedOnce(renewed)).toContain('no authority');
  await writePair(path, 'ca', others);
  await files.renew();
  expect(await askedOnce(renewed)).toBe('nobody');
});

test('listens on a unix socket, with a path behind it', async () => {
  const socket = join(await folder(), 'auth.sock');
  const heard: unknown[] = [];
  const server: Server = createServer(({ url, headers }, response) => {
    heard.push([url, headers.host]);
    response.setHeader('x-shown', 'a socket').end();
  }).listen(socket);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  expect(await shownTo({ url: `unix:${socket}:/verify?a=1` })).toBe('a socket');
  expect(await shownTo({ url: `unix:${socket}` })).toBe('a socket');
  expect(heard).toEqual([
    ['/verify?a=1', 'localhost'],
    ['/', 'localhost'],
  ]);
});
