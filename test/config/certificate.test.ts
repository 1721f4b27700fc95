import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readAuthorities, readIdentity } from '../../src/config/certificate.ts';
import {
  EXPIRED,
  folder,
  makeAuthority,
  makeCertificate,
  type Pair,
  writePair,
} from '../support/certificates.ts';

let root: Pair;
let middle: Pair;
let leaf: Pair;
let other: Pair;

beforeAll(async () => {
  [root, other] = await Promise.all([makeAuthority('root'), makeCertificate({ dns: ['other.test'] })]);
  middle = await makeAuthority('middle', root);
  leaf = await makeCertificate({ dns: ['app.test'] }, middle);
});

/** Reads what stands in two files. */
async function read(cert: string, key = leaf.key, now?: Date) {
  const { files } = await writePair(await folder(), 'app', { cert, key });
  return readIdentity(files, now);
}

describe('a certificate', () => {
  test('is read with its chain, and ends with the first of it', async () => {
    const short = await makeCertificate({ dns: ['app.test'], to: new Date('2100-01-01') }, middle);
    const { certificate, expiresAt } = await read(short.cert + middle.cert + root.cert, short.key);
    expect(certificate.subject).toBe('CN=app.test');
    expect(expiresAt).toBeLessThan(Date.parse('2090-01-01'));
    expect((await read(leaf.cert)).certificate.checkHost('app.test')).toBe('app.test');
  });

  test('may stand among other text, and between line ends of any kind', async () => {
    const { certificate } = await read(
      `subject=CN = app.test\r\n${leaf.cert.replaceAll('\n', '\r\n')}\r\n${middle.cert}`,
    );
    expect(certificate.subject).toBe('CN=app.test');
  });

  test.each<[string, () => string, RegExp]>([
    ['is empty', () => '', /app.crt is not a certificate in PEM form/],
    ['is garbage', () => '\0\x01garbage', /app.crt is not a certificate in PEM form/],
    ['is a key', () => leaf.key, /app.crt is not a certificate in PEM form/],
    [
      'has a damaged body',
      () => leaf.cert.replace(/\n[A-Za-z0-9+/]{9}/, '\nAAAAAAAAA'),
      /app.crt is not a certificate/,
    ],
    ['is cut off', () => leaf.cert.slice(0, -40), /app.crt is not a certificate in PEM form/],
    [
      'is cut off in its chain',
      () => leaf.cert + middle.cert.slice(0, 200),
      /app.crt is cut off or damaged: .*write it anew/,
    ],
    [
      'is the wrong way round',
      () => middle.cert + leaf.cert,
      /app.crt is not in order: certificate 2 is that of CN=app.test, but the one before it was issued by CN=root; turn their order round/,
    ],
    [
      'lacks one of the middle',
      () => leaf.cert + root.cert,
      /app.crt is not in order: certificate 2 is that of CN=root, but the one before it was issued by CN=middle; put the issuer/,
    ],
    [
      'is of another key',
      () => other.cert,
      /the private key \S+app.key does not belong to the certificate \S+app.crt: write both/,
    ],
  ])('that %s is refused', async (_what, cert, message) => {
    await expect(read(cert())).rejects.toThrow(message);
  });

  test('whose issuer in the file has its name, but has not signed it, is refused', async () => {
    const namesake = await makeAuthority('middle', root);
    await expect(read(leaf.cert + namesake.cert)).rejects.toThrow(
      /app.crt: certificate 2, of CN=middle, has not signed the one before it; put the one/,
    );
  });

  test.each([
    ['expired', '2200-01-01', /the certificate \S+app.crt expired on .*; renew it/],
    ['not yet valid', '2001-01-01', /the certificate \S+app.crt is not valid before/],
  ])('that is %s is refused', async (_what, now, message) => {
    await expect(read(leaf.cert, leaf.key, new Date(now))).rejects.toThrow(message);
  });

  test('whose issuer in the file has expired is refused', async () => {
    const old = await makeAuthority('old', root, EXPIRED);
    const late = await makeCertificate({ dns: ['app.test'] }, old);
    await expect(read(late.cert + old.cert, late.key)).rejects.toThrow(
      /certificate 2 in \S+app.crt expired on/,
    );
  });

  test.each(['', 'garbage', '-----BEGIN PRIVATE KEY-----'])('with the key %j is refused', async (key) => {
    await expect(read(leaf.cert, key)).rejects.toThrow(
      /app.key is not a private key in PEM form without a passphrase/,
    );
  });

  test('that is a folder, or far too large, is not read', async () => {
    const path = await folder();
    const { files } = await writePair(path, 'app', leaf);
    expect(() => readIdentity({ ...files, cert: path })).toThrow(
      /cannot read the certificate .*: it is not a file/,
    );
    await writeFile(files.cert, leaf.cert + '\n'.repeat(2 ** 20));
    expect(() => readIdentity(files)).toThrow(/cannot read the certificate .*: it is larger than 1 MiB/);
  });
});

describe('authorities', () => {
  async function authorities(pem: string): Promise<ReturnType<typeof readAuthorities>> {
    const file = join(await folder(), 'ca.pem');
    await writeFile(file, pem);
    return readAuthorities(file, new Date());
  }

  test('may be several in any order, and end with the last', async () => {
    const old = await makeAuthority('old', undefined, EXPIRED);
    const { expiresAt } = await authorities(old.cert + other.cert + root.cert);
    expect(expiresAt).toBeGreaterThan(Date.now());
  });

  test('that have all expired are refused', async () => {
    const old = await makeAuthority('old', undefined, EXPIRED);
    await expect(authorities(old.cert)).rejects.toThrow(
      /every certificate in \S+ca.pem has expired, the last one on .*2002/,
    );
  });

  test.each(['', 'hello'])('that are %j are refused', async (pem) => {
    await expect(authorities(pem)).rejects.toThrow(/ca.pem is not a certificate in PEM form/);
  });

  test('of which one is cut off are refused', async () => {
    await expect(authorities(root.cert + other.cert.slice(0, 99))).rejects.toThrow(
      /ca.pem is cut off or damaged/,
    );
  });
});
