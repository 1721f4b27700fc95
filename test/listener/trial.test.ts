import { createSecureContext } from 'node:tls';
import { expect, test } from 'vitest';
import { type Identity, readIdentity } from '../../src/config/certificate.ts';
import { tryHandshake } from '../../src/listener/trial.ts';
import { folder, makeCertificate, writePair } from '../support/certificates.ts';

async function identity(): Promise<Identity> {
  const { files } = await writePair(await folder(), 'app', await makeCertificate({ dns: ['app.test'] }));
  return readIdentity(files);
}

test('a certificate with which a handshake works is good', async () => {
  const own = await identity();
  await expect(
    tryHandshake(createSecureContext({ cert: own.cert, key: own.key }), own),
  ).resolves.toBeUndefined();
});

test('what OpenSSL takes, and then has nothing to show, is not', async () => {
  const empty = createSecureContext({ cert: '', key: '' });
  await expect(tryHandshake(empty, await identity())).rejects.toThrow(
    /^a handshake with \S+app.crt fails: (no suitable .*|.*handshake failure)$/,
  );
});

test('what shows another certificate is not', async () => {
  const [own, other] = await Promise.all([identity(), identity()]);
  const context = createSecureContext({ cert: other.cert, key: other.key });
  await expect(tryHandshake(context, own)).rejects.toThrow(/fails: another certificate was shown/);
});

test('what no client of today speaks is not', async () => {
  const own = await identity();
  const old = createSecureContext({
    cert: own.cert,
    key: own.key,
    ciphers: 'AES128-SHA',
    maxVersion: 'TLSv1.2',
  });
  await expect(tryHandshake(old, own)).rejects.toThrow(/a handshake with \S+app.crt fails/);
});
