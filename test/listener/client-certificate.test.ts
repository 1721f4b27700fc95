import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseAltNames, readClientCertificate } from '../../src/listener/client-certificate.ts';
import { makeCertificate, type Names } from '../support/certificates.ts';

async function read(names: Names) {
  return readClientCertificate(new X509Certificate((await makeCertificate(names)).cert));
}

test('all names of a certificate are read', async () => {
  const certificate = await read({
    subject: 'C=DE,O=Acme,CN=device-7',
    dns: ['a.example.com', '*.example.org'],
    email: ['ann@example.com'],
    uri: ['spiffe://example.com/ns/a'],
    to: new Date('2100-01-01T00:00:00Z'),
  });
  expect(certificate).toEqual({
    subject: 'CN=device-7,O=Acme,C=DE',
    commonName: 'device-7',
    names: {
      dns: ['a.example.com', '*.example.org'],
      email: ['ann@example.com'],
      uri: ['spiffe://example.com/ns/a'],
    },
    serialNumber: expect.stringMatching(/^[0-9A-F]+$/),
    fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    expiresAt: Date.parse('2100-01-01'),
  });
});

test('one without other names has none', async () => {
  const { names } = await read({ subject: 'CN=device-7' });
  expect(names).toEqual({ dns: [], email: [], uri: [] });
});

describe('a name that looks like several is one', () => {
  test.each([
    'a.example.com, DNS:admin.example.com',
    'a.example.com,DNS:admin.example.com',
    'a", DNS:"admin.example.com',
    "a', DNS:'admin.example.com",
    'a\nDNS:admin.example.com',
    'a\\", DNS:admin.example.com',
    'a, email:root@example.com, URI:spiffe://example.com/root',
    '"admin.example.com"',
    'admin.example.com\0.evil.example',
    'DNS:admin.example.com',
  ])('%j', async (name) => {
    const { names } = await read({
      subject: 'CN=x',
      dns: [name],
      email: [`${name}@x`],
      uri: [`urn:${name}`],
    });
    expect(names).toEqual({ dns: [name], email: [`${name}@x`], uri: [`urn:${name}`] });
  });
});

describe('a subject that looks like another', () => {
  test.each([
    ['a comma', 'CN=device-7\\,CN=admin', 'CN=device-7\\,CN=admin', 'device-7,CN=admin'],
    ['a comma and a blank', 'CN=device-7\\, CN\\=admin', 'CN=device-7\\, CN=admin', 'device-7, CN=admin'],
    ['a plus', 'CN=device-7 \\+ CN\\=admin', 'CN=device-7 \\+ CN=admin', 'device-7 + CN=admin'],
    ['a quote', 'CN=\\"admin\\"', 'CN=\\"admin\\"', '"admin"'],
    ['a letter of elsewhere', 'CN=gerät', 'CN=gerät', 'gerät'],
  ])('by %s is what it is', async (_what, given, subject, commonName) => {
    expect(await read({ subject: given })).toMatchObject({ subject, commonName });
  });

  test('by line ends, as Node writes them, is one name', () => {
    // The library that makes certificates cuts there; this is what OpenSSL makes of CN="admin\nCN=x" and of O="a\0b".
    const certificate = {
      subject: 'O=a\\00b\nCN=admin\\0ACN=x',
      fingerprint256: '',
      validTo: '',
      serialNumber: '',
    };
    expect(readClientCertificate(certificate as X509Certificate)).toMatchObject({
      subject: 'CN=admin\\0ACN=x,O=a\\00b',
      commonName: 'admin\nCN=x',
    });
  });

  test.each([
    ['on two levels', 'CN=admin,CN=device-7', /^CN=device-7,CN=admin$/],
    ['on one level', 'CN=device-7+CN=admin', /^CN=(device-7\+CN=admin|admin\+CN=device-7)$/],
  ])('by two common names %s has none that counts', async (_what, given, written) => {
    const { subject, commonName } = await read({ subject: given });
    expect([subject, commonName]).toEqual([expect.stringMatching(written), undefined]);
  });

  test('with other names beside the common one on its level keeps them apart', async () => {
    const { subject, commonName } = await read({ subject: 'CN=device-7+O=Acme' });
    expect([subject, commonName]).toEqual([
      expect.stringMatching(/^(CN=device-7\+O=Acme|O=Acme\+CN=device-7)$/),
      'device-7',
    ]);
  });
});

describe('other names as Node writes them', () => {
  test('are told from those that stand for something else', () => {
    const text =
      'IP Address:127.0.0.1, othername:UPN:"a, b", DirName:"CN=x\\u002cO=y", DNS:a, Registered ID:1.2';
    expect(parseAltNames(text).map(({ kind, value }) => `${kind} ${value}`)).toEqual([
      'IP Address 127.0.0.1',
      'othername UPN:"a, b"',
      'DirName CN=x,O=y',
      'DNS a',
      'Registered ID 1.2',
    ]);
  });

  test.each(['DNS:a, nonsense', 'DNS:a, DNS:"b', 'DNS:a,DNS:b, ', 'DNS:"\\x"', ', DNS:a', '"', 'DNS'])(
    'are not believed where they are not as expected: %s',
    (text) => expect(parseAltNames(text)).toEqual([]),
  );
});
