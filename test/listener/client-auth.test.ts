import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ListenerConfig } from '../../src/config/schema.ts';
import type { TlsInfo } from '../../src/http/request.ts';
import type { Listener } from '../../src/listener/server.ts';
import { WatchedCertificates } from '../../src/watched-certificates.ts';
import { WatchedFiles } from '../../src/watched-files.ts';
import { eventually } from '../support/census.ts';
import {
  EXPIRED,
  folder,
  makeAuthority,
  makeCertificate,
  type Pair,
  writePair,
} from '../support/certificates.ts';
import { depsOf, open, unheard } from '../support/listener.ts';
import { within } from '../support/patience.ts';

/** Clients that show certificates to a listener that asks for one, and what it knows of them. */

let root: Pair;
let device: Pair;
let expired: Pair;
let foreign: Pair;
let chained: Pair;
let first: Pair;
let second: Pair;

beforeAll(async () => {
  [root, first, second] = await Promise.all([
    makeAuthority('devices'),
    makeCertificate({ dns: ['app.test'] }),
    makeCertificate({ dns: ['other.test'] }),
  ]);
  const middle = await makeAuthority('middle', root);
  [device, expired, foreign, chained] = await Promise.all([
    makeCertificate({ subject: 'O=Acme,CN=device-7', dns: ['device-7.test'] }, root),
    makeCertificate({ subject: 'CN=old', ...EXPIRED }, root),
    makeCertificate({ subject: 'CN=device-7' }, await makeAuthority('others')),
    makeCertificate({ subject: 'CN=device-8' }, middle),
  ]);
  chained = { ...chained, cert: `${chained.cert}\n${middle.cert}` };
});

interface Asking {
  readonly listener: Listener;
  /** What is known of the connection of each request. */
  readonly known: (TlsInfo | undefined)[];
  /** Failed handshakes: reason, address and detail. */
  readonly failures: unknown[][];
  /** New authorities, and a new certificate for app.test, if there is one. */
  readonly renewCa: (pem: string, own?: Pair) => Promise<void>;
}

async function ask(clientAuth: NonNullable<ListenerConfig['tls']>['clientAuth']): Promise<Asking> {
  const path = await folder();
  const [one, other] = [await writePair(path, 'app', first), await writePair(path, 'other', second)];
  const ca = await writePair(path, 'ca', root);
  const files = new WatchedFiles({ everyMs: 3_600_000 });
  const certificates = new WatchedCertificates(files, pino({ enabled: false }), { reloaded() {} });
  onTestFinished(() => {
    certificates.close();
    files.close();
  });
  const known: Asking['known'] = [];
  const failures: Asking['failures'] = [];

  const observer = {
    ...unheard,
    tlsFailed(...failure: unknown[]) {
      failures.push(failure);
    },
  };
  const listener = await open(
    {
      request({ connection, response }) {
        known.push(connection.tls);
        response.end(connection.tls?.certificate?.commonName ?? 'nobody');
      },
    },
    {},
    { certificates: [one.files, other.files], minVersion: 'TLSv1.2', clientCa: ca.files.cert, clientAuth },
    { ...depsOf(Infinity, observer), certificates },
  );
  async function renewCa(cert: string, own: Partial<Pair> = {}): Promise<void> {
    await Promise.all([ca.write({ cert }), one.write(own)]);
    await files.renew();
  }
  return { listener, known, failures, renewCa };
}

function connectTo({ address: { port } }: Listener, options: ConnectionOptions): TLSSocket {
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: 'app.test',
    ...options,
  });
  onTestFinished(() => void socket.destroy());
  return socket;
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const LAST_GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** The body of the answer; undefined if there is no connection, or it ends without. */
async function get(listener: Listener, options: ConnectionOptions = {}): Promise<string | undefined> {
  const socket = connectTo(listener, options);
  socket.write(LAST_GET);
  const answer = await within(
    text(socket).catch(() => ''),
    'the end of a connection',
  );
  return answer === '' ? undefined : answer.split('\r\n\r\n').at(-1);
}

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

describe.each(VERSIONS)('over %s', (maxVersion) => {
  describe.each(['app.test', 'other.test', ''])('and the server name %j', (servername) => {
    const options = { maxVersion, servername };

    test.each([undefined, 'required'] as const)('a good certificate is required: %s', async (clientAuth) => {
      const { listener, known, failures } = await ask(clientAuth);
      expect(await get(listener, { ...options, ...device })).toBe('device-7');
      expect(await get(listener, { ...options, ...chained })).toBe('device-8');
      for (const bad of [{}, expired, foreign])
        expect(await get(listener, { ...options, ...bad })).toBeUndefined();
      expect(known).toHaveLength(2);
      await eventually(() => failures.length === 3);
      expect(failures).toEqual([
        ['client_certificate', '127.0.0.1', undefined],
        ['client_certificate', '127.0.0.1', 'CERT_HAS_EXPIRED'],
        ['client_certificate', '127.0.0.1', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ]);
    });

    test('where it is optional, who has no good one is nobody', async () => {
      const { listener, failures } = await ask('optional');
      expect(await get(listener, { ...options, ...device })).toBe('device-7');
      for (const bad of [{}, expired, foreign])
        expect(await get(listener, { ...options, ...bad })).toBe('nobody');
      expect(failures).toEqual([]);
    });
  });

  test('what was agreed is known', async () => {
    const { listener, known } = await ask('optional');
    await get(listener, { maxVersion, ...device });
    await get(listener, { maxVersion });
    await get(listener, { maxVersion });
    const agreed = { version: maxVersion, cipher: expect.stringMatching(/AES|CHACHA/) };
    const certificate = expect.objectContaining({
      subject: 'CN=device-7,O=Acme',
      names: { dns: ['device-7.test'], email: [], uri: [] },
    });
    await get(listener, { maxVersion, ...expired });
    const bad = { ...agreed, certificateError: 'CERT_HAS_EXPIRED' };
    expect(known).toEqual([{ ...agreed, certificate }, agreed, agreed, bad]);
    // Nothing is kept for each connection that has nothing of its own.
    expect(known[1]).toBe(known[2]);
  });

  test('a forged certificate, by an authority that calls itself the same, makes nobody somebody', async () => {
    const forged = await makeCertificate({ subject: 'CN=device-7' }, await makeAuthority('devices'));
    for (const clientAuth of ['required', 'optional'] as const) {
      const { listener } = await ask(clientAuth);
      expect([undefined, 'nobody']).toContain(await get(listener, { maxVersion, ...forged }));
    }
  });

  test('a certificate is read once, however many requests come', async () => {
    const { listener, known } = await ask('required');
    const socket = connectTo(listener, { maxVersion, ...device });
    socket.write(GET);
    await within(once(socket, 'data'), 'an answer');
    socket.write(LAST_GET);
    await within(text(socket), 'another answer');
    expect(known).toHaveLength(2);
    expect(known[0]).toBe(known[1]);
  });

  test('no session is resumed, so that each client proves itself anew', async () => {
    const { listener } = await ask('optional');
    const sessions: Buffer[] = [];
    const early = connectTo(listener, { maxVersion, ...device });
    early.on('session', (session) => sessions.push(session));
    early.write(LAST_GET);
    await within(text(early), 'an answer');
    const late = connectTo(listener, { maxVersion, session: sessions.at(-1) });
    await within(once(late, 'secureConnect'), 'a handshake');
    expect(late.isSessionReused()).toBe(false);
    late.write(LAST_GET);
    expect(await within(text(late), 'an answer')).toMatch(/nobody$/);
  });

  test('whom a new authority does not vouch for is nobody any more, and whom it does is somebody', async () => {
    const { listener, renewCa } = await ask('optional');
    const other = await makeAuthority('others');
    const theirs = await makeCertificate({ subject: 'CN=device-9' }, other);
    expect(await get(listener, { maxVersion, ...theirs })).toBe('nobody');
    await renewCa(other.cert);
    for (const servername of ['app.test', 'other.test', '']) {
      expect(await get(listener, { maxVersion, servername, ...device })).toBe('nobody');
      expect(await get(listener, { maxVersion, servername, ...theirs })).toBe('device-9');
    }
    // Renewed by itself, a certificate still asks for clients of the new one.
    const renewed = await makeCertificate({ dns: ['app.test'] });
    await renewCa('garbage', renewed);
    expect(await get(listener, { maxVersion, ...device })).toBe('nobody');
    expect(await get(listener, { maxVersion, ...theirs })).toBe('device-9');
    await renewCa(`${root.cert}\n${other.cert}`);
    expect(await get(listener, { maxVersion, ...device })).toBe('device-7');
  });
});
