import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Listener, ListenerDeps } from '../../src/listener/server.ts';
import { openTls } from '../../src/listener/tls.ts';
import {
  type CertificateObserver,
  type CertificateSource,
  type CertificateWatch,
  unwatched,
  WatchedCertificates,
} from '../../src/watched-certificates.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { ticketKeysFrom } from '../../src/workers/tickets.ts';
import {
  EXPIRED,
  folder,
  makeAuthority,
  makeCertificate,
  type Pair,
  type PairFiles,
  writePair,
} from '../support/certificates.ts';
import { depsOf, open } from '../support/listener.ts';
import { within } from '../support/patience.ts';

/** Certificates of a listener that runs, renewed at a word instead of by and by. */

let ca: Pair;
let app: Pair;
let renewed: Pair;
let other: Pair;
let expired: Pair;

beforeAll(async () => {
  ca = await makeAuthority('root');
  [app, renewed, other, expired] = await Promise.all([
    makeCertificate({ dns: ['app.test'] }, ca),
    makeCertificate({ dns: ['app.test'] }, ca),
    makeCertificate({ dns: ['other.test'] }, ca),
    makeCertificate({ dns: ['app.test'], ...EXPIRED }, ca),
  ]);
});

interface Renewing {
  readonly listener: Listener;
  readonly files: WatchedFiles;
  readonly outcomes: string[];
}

/** As another process would that shares the keys of its tickets. */
async function serveSharing(pair: PairFiles): Promise<Renewing> {
  return serveWith(ticketKeysFrom(Buffer.alloc(32, 1)), pair);
}

function serve(...pairs: PairFiles[]): Promise<Renewing> {
  return serveWith(undefined, ...pairs);
}

async function serveWith(ticketKeys: ListenerDeps['ticketKeys'], ...pairs: PairFiles[]): Promise<Renewing> {
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  const outcomes: string[] = [];
  const observer: CertificateObserver = { reloaded: (outcome) => outcomes.push(outcome) };
  const certificates = new WatchedCertificates(files, pino({ enabled: false }), observer);
  onTestFinished(() => {
    certificates.close();
    files.close();
  });
  const tls = { certificates: pairs.map((pair) => pair.files), minVersion: 'TLSv1.2' as const };
  const listener = await open({ request: ({ response }) => response.end('hello') }, {}, tls, {
    ...depsOf(),
    certificates,
    ticketKeys,
  });
  return { listener, files, outcomes };
}

function connectTo({ address: { port } }: Listener, options: ConnectionOptions): TLSSocket {
  return connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'app.test', ...options });
}

/** A connection whose handshake is done. */
async function shake(listener: Listener, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTo(listener, options);
  onTestFinished(() => void socket.destroy());
  await within(once(socket, 'secureConnect'), 'a handshake');
  return socket;
}

async function shown(listener: Listener, servername: string): Promise<string> {
  const socket = await shake(listener, { servername, rejectUnauthorized: false });
  const pem = socket.getPeerX509Certificate()?.toString() ?? '';
  socket.destroy();
  return pem.trim();
}

test('a renewed certificate is shown to new clients, by every name and by none', async () => {
  const pair = await writePair(await folder(), 'app', app);
  const { listener, files, outcomes } = await serve(pair);
  await pair.write(renewed);
  await files.renew();
  for (const name of ['app.test', 'unknown.test', '']) expect(await shown(listener, name)).toBe(renewed.cert);
  expect(outcomes).toEqual(['renewed']);
});

test('a second certificate is renewed by itself, and a bad first one does not stand in its way', async () => {
  const path = await folder();
  const [first, second] = [await writePair(path, 'app', app), await writePair(path, 'other', other)];
  const { listener, files, outcomes } = await serve(first, second);
  const next = await makeCertificate({ dns: ['other.test', 'new.test'] }, ca);
  await first.write({ cert: 'garbage' });
  await second.write(next);
  await files.renew();
  expect(outcomes.sort()).toEqual(['refused', 'renewed']);
  expect(await shown(listener, 'new.test')).toBe(next.cert);
  expect(await shown(listener, 'app.test')).toBe(app.cert);
});

test('both of two certificates that are renewed at once come into service', async () => {
  const path = await folder();
  const [first, second] = [await writePair(path, 'app', app), await writePair(path, 'other', other)];
  const { listener, files } = await serve(first, second);
  const next = await makeCertificate({ dns: ['other.test'] }, ca);
  await Promise.all([first.write(renewed), second.write(next)]);
  await files.renew();
  expect(await shown(listener, 'app.test')).toBe(renewed.cert);
  expect(await shown(listener, 'other.test')).toBe(next.cert);
});

test('authorities and certificates that are renewed in the same moment all come into service', async () => {
  const path = await folder();
  const [pair, trust] = [await writePair(path, 'app', app), await writePair(path, 'ca', ca)];
  const sources: CertificateSource<unknown>[] = [];
  const watch: CertificateWatch = {
    watch(source) {
      sources.push(source as CertificateSource<unknown>);
      return unwatched.watch(source);
    },
  };
  const tls = { certificates: [pair.files], minVersion: 'TLSv1.2' as const, clientCa: trust.files.cert };
  const opened = await openTls({ host: '::', port: 8443, tls }, watch);
  const newCa = await makeAuthority('other');
  await Promise.all([pair.write(renewed), trust.write(newCa)]);
  await Promise.all(sources.map((source) => source.renew(source.read())));
  expect(opened.options).toMatchObject({ cert: `${renewed.cert}\n`, ca: `${newCa.cert}\n` });
  expect(sources.map(({ listener }) => listener)).toEqual(['[::]:8443', '[::]:8443']);
});

test('a connection that is open goes on', async () => {
  const pair = await writePair(await folder(), 'app', app);
  const { listener, files } = await serve(pair);
  const early = await shake(listener);
  await pair.write(renewed);
  await files.renew();
  early.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  expect(await within(text(early), 'an answer')).toMatch(/hello$/);
});

test('a session of before is not resumed, so that the renewed certificate is seen', async () => {
  const pair = await writePair(await folder(), 'app', app);
  const { listener, files } = await serve(pair);
  const early = await shake(listener);
  const [session] = await within(once(early, 'session'), 'a session');
  expect((await shake(listener, { session })).isSessionReused()).toBe(true);
  await pair.write(renewed);
  await files.renew();
  const late = await shake(listener, { session });
  expect(late.isSessionReused()).toBe(false);
});

describe('a session of another process that shares its keys', () => {
  const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
  const names = ['app.test', ''];

  test.each(VERSIONS.flatMap((version) => names.map((servername) => [version, servername] as const)))(
    'is resumed, and not once the certificate is another: %s, %j',
    async (maxVersion, servername) => {
      const pair = await writePair(await folder(), 'app', app);
      const [one, two] = [await serveSharing(pair), await serveSharing(pair)];
      // Each listens on a port of its own here, and is told of it as of the one that it shares.
      const options = { maxVersion, servername, checkServerIdentity: () => undefined };
      const early = await shake(one.listener, options);
      const isOld = maxVersion === 'TLSv1.2';
      const session = isOld ? early.getSession() : (await within(once(early, 'session'), 'a session'))[0];
      expect((await shake(two.listener, { ...options, session })).isSessionReused()).toBe(true);
      await pair.write(renewed);
      await two.files.renew();
      expect((await shake(two.listener, { ...options, session })).isSessionReused()).toBe(false);
    },
  );
});

test('a listener that is closed renews nothing', async () => {
  const pair = await writePair(await folder(), 'app', app);
  const { listener, files, outcomes } = await serve(pair);
  await listener.close();
  await pair.write(renewed);
  await files.renew();
  expect(outcomes).toEqual([]);
});

describe('300 swaps, of which a third are bad', () => {
  /** What may become of a file in the hands of others. */
  const BAD: readonly (() => Partial<Pair>)[] = [
    () => ({ cert: randomBytes(500).toString('latin1') }),
    () => ({ cert: renewed.cert.slice(0, -99) }),
    () => ({ cert: '' }),
    () => ({ key: '' }),
    () => ({ key: other.key }),
    () => expired,
    () => ({ ...app, cert: `${ca.cert}\n${app.cert}` }),
  ];

  test('do not fail one handshake of clients that come all the time', { timeout: 60_000 }, async () => {
    const path = await folder();
    const pair = await writePair(path, 'app', app);
    const { listener, files, outcomes } = await serve(pair, await writePair(path, 'other', other));
    const seen = new Set<string>();
    async function come(options: ConnectionOptions): Promise<void> {
      // Verified against the authority and the name: a bad certificate would be an error here, as no certificate is.
      const socket = connectTo(listener, options);
      await within(once(socket, 'secureConnect'), 'a handshake');
      seen.add(socket.getPeerX509Certificate()?.toString().trim() ?? '');
      socket.destroy();
    }
    const nameless = { servername: '', checkServerIdentity: () => undefined };
    const clients = [{}, { maxVersion: 'TLSv1.2' as const }, nameless];
    for (let swap = 0; swap < 300; swap++) {
      const bad = BAD[Math.trunc(swap / 3) % BAD.length] as () => Partial<Pair>;
      await pair.write(swap % 3 === 2 ? bad() : swap % 3 === 0 ? renewed : app);
      const [one, another] = [clients[swap % 3], clients[(swap + 1) % 3]];
      await Promise.all([files.renew(), come(one ?? {}), come(another ?? {})]);
    }
    expect(seen).toEqual(new Set([app.cert, renewed.cert]));
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(100);
    expect(outcomes.filter((outcome) => outcome === 'renewed')).toHaveLength(200);
  });
});

test('a file that is there only for a moment is not served after it', async () => {
  const path = await folder();
  const pair = await writePair(path, 'app', app);
  const { listener, files } = await serve(pair);
  await writeFile(join(path, 'app.crt'), '');
  await files.renew();
  await pair.write(renewed);
  await files.renew();
  expect(await shown(listener, 'app.test')).toBe(renewed.cert);
});
