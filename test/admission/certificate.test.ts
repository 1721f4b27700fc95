import { describe, expect, test } from 'vitest';
import { checkCertificate } from '../../src/admission/certificate.ts';
import type { CertificateSubject } from '../../src/config/certificate-subject.ts';
import { GatewayError } from '../../src/errors.ts';
import type { ClientCertificate } from '../../src/http/request.ts';
import { grantOf, plainOf } from '../support/handshakes.ts';

const FAR = Date.parse('2100-01-01');

const device: ClientCertificate = {
  subject: 'CN=device-7,O=Acme',
  commonName: 'device-7',
  names: {
    dns: ['Device-7.example.com', '*.wild.example'],
    email: ['Ann@Example.com'],
    uri: ['spiffe://example.com/ns/a'],
  },
  serialNumber: '01AB',
  fingerprint: 'ab'.repeat(32),
  expiresAt: FAR,
};

const shownBy = (certificate?: ClientCertificate) =>
  plainOf({ tls: { version: 'TLSv1.3', cipher: 'x', certificate } });

function judge(subjects: CertificateSubject[] | undefined, certificate = device) {
  const grant = grantOf();
  void checkCertificate({ subjects })(shownBy(certificate), grant);
  return grant;
}

function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    if (error instanceof GatewayError) return [error.code, error.status, error.detail];
    throw error;
  }
  return undefined;
}

test('what a certificate proves is noted', () => {
  expect(judge(undefined)).toMatchObject({
    subject: 'device-7',
    claims: {
      certificate: {
        subject: 'CN=device-7,O=Acme',
        commonName: 'device-7',
        dns: ['Device-7.example.com', '*.wild.example'],
        email: ['Ann@Example.com'],
        uri: ['spiffe://example.com/ns/a'],
        serialNumber: '01AB',
        fingerprint: 'ab'.repeat(32),
      },
    },
    expiresAt: FAR,
  });
});

test.each([
  [{ commonName: undefined }, 'CN=device-7,O=Acme'],
  [{ commonName: undefined, subject: '' }, 'spiffe://example.com/ns/a'],
])('one with %j is called %s', (changes, subject) => {
  expect(judge(undefined, { ...device, ...changes }).subject).toBe(subject);
});

test('what is known already stays, and the nearer end counts', () => {
  const grant = { ...grantOf(), claims: { role: 'a' }, expiresAt: FAR - 1 };
  void checkCertificate({})(shownBy(device), grant);
  expect(grant).toMatchObject({
    claims: { role: 'a', certificate: { serialNumber: '01AB' } },
    expiresAt: FAR - 1,
  });
});

describe('subjects let in', () => {
  test.each<[CertificateSubject['by'], string]>([
    ['commonName', 'device-7'],
    ['subject', 'CN=device-7,O=Acme'],
    ['subject', 'cn=device\\2d7, O = Acme'],
    ['dns', 'device-7.example.com'],
    ['dns', '*.example.com'],
    ['email', 'Ann@example.COM'],
    ['uri', 'spiffe://example.com/ns/a'],
    ['uri', 'spiffe://example.com/ns/*'],
    ['uri', 'spiffe://*'],
  ])('by %s %s', (by, name) => {
    expect(
      judge([
        { by: 'commonName', name: 'other' },
        { by, name },
      ]).subject,
    ).toBe('device-7');
  });

  test.each<[CertificateSubject['by'], string]>([
    ['commonName', 'device'],
    ['commonName', 'Device-7'],
    ['commonName', 'device-7.example.com'],
    ['subject', 'O=Acme,CN=device-7'],
    ['subject', 'CN=device-7'],
    ['subject', 'CN=device-7+O=Acme'],
    ['subject', 'CN=device-7\\,O=Acme'],
    ['dns', 'example.com'],
    ['dns', '*.com'],
    ['dns', '*.device-7.example.com'],
    ['dns', 'a.wild.example'],
    ['dns', '*.wild.example'],
    ['email', 'ann@example.com'],
    ['email', 'example.com'],
    ['uri', 'spiffe://example.com/ns/'],
    ['uri', 'spiffe://example.com/ns/a/*'],
    ['uri', 'SPIFFE://example.com/ns/a'],
  ])('but not by %s %s', (by, name) => {
    expect(refusalOf(() => judge([{ by, name }]))).toEqual([
      'CERTIFICATE_REFUSED',
      403,
      'that of device-7 is not among the subjects of this route',
    ]);
  });

  test.each([
    'spiffe://example.com/ns/../evil',
    'spiffe://example.com/ns/./a',
    'spiffe://example.com/ns/a/..',
    'spiffe://example.com/ns/%2e%2E/evil',
    'spiffe://example.com/ns/.%2e?x',
    'spiffe://example.com/ns/a%2f..%2F..',
    'spiffe://example.com/ns/..\\evil',
  ])('but not by what begins so, where %s leads out of it', (uri) => {
    const climbing = { ...device, names: { ...device.names, uri: [uri] } };
    const pattern = { by: 'uri', name: 'spiffe://example.com/ns/*' } as const;
    expect(refusalOf(() => judge([pattern], climbing))).toContain('CERTIFICATE_REFUSED');
    expect(judge([{ by: 'uri', name: uri }], climbing).subject).toBe('device-7');
  });

  test.each([
    'spiffe://example.com/ns/..a',
    'spiffe://example.com/ns/a.b/...',
    'spiffe://example.com/ns/.well-known',
  ])('by what begins so, where %s has dots that lead nowhere', (uri) => {
    const dotted = { ...device, names: { ...device.names, uri: [uri] } };
    expect(judge([{ by: 'uri', name: 'spiffe://example.com/ns/*' }], dotted).subject).toBe('device-7');
  });

  test('again without another look', () => {
    const check = checkCertificate({ subjects: [{ by: 'dns', name: '*.example.com' }] });
    const other = { ...device, names: { ...device.names, dns: ['device-7.example.org'] } };
    for (const _ of [1, 2]) {
      void check(shownBy(device), grantOf());
      expect(refusalOf(() => check(shownBy(other), grantOf()))).toContain('CERTIFICATE_REFUSED');
    }
  });
});

describe('refused is', () => {
  test('who has none', () => {
    const check = checkCertificate({});
    expect(refusalOf(() => check(shownBy(undefined), grantOf()))).toEqual([
      'CERTIFICATE_REFUSED',
      403,
      'none was shown',
    ]);
    expect(refusalOf(() => check(plainOf(), grantOf()))).toEqual([
      'CERTIFICATE_REFUSED',
      403,
      'the connection is not over TLS',
    ]);
  });

  test('whose has expired since it was shown', () => {
    expect(refusalOf(() => judge(undefined, { ...device, expiresAt: Date.now() }))).toEqual([
      'CERTIFICATE_REFUSED',
      403,
      'that of device-7 has expired',
    ]);
  });
});

test('what is exempt needs none, and has proven nothing', () => {
  const grant = grantOf();
  void checkCertificate({}, () => true)(plainOf(), grant);
  expect(grant).toMatchObject({ isUnproven: true, claims: {} });
});
