import { expect, test } from 'vitest';
import { checkConfirmation } from '../../../src/admission/token/confirmation.ts';
import type { ClientCertificate } from '../../../src/http/request.ts';

const fingerprint = 'ab'.repeat(32);
const THUMBPRINT = Buffer.from(fingerprint, 'hex').toString('base64url');
const certificate = { fingerprint } as ClientCertificate;
const bound = (cnf: unknown) => ({ sub: 'alice', cnf });

test('a token that is bound to nothing is good', () => {
  expect(() => checkConfirmation({ sub: 'alice' }, undefined)).not.toThrow();
});

test('one that is bound to a certificate is good with it', () => {
  expect(() => checkConfirmation(bound({ 'x5t#S256': THUMBPRINT }), certificate)).not.toThrow();
});

test.each<[string, unknown, ClientCertificate | undefined, string]>([
  ['to a certificate that was not shown', { 'x5t#S256': THUMBPRINT }, undefined, 'none was shown'],
  ['to another certificate', { 'x5t#S256': 'x'.repeat(43) }, certificate, 'another certificate'],
  ['to a key for DPoP', { jkt: 'x'.repeat(43) }, certificate, 'nothing can prove that here'],
  [
    'to a certificate and a key',
    { 'x5t#S256': THUMBPRINT, jkt: 'x' },
    certificate,
    'nothing can prove that here',
  ],
  ['to what nobody knows', { kid: 'x' }, certificate, 'nothing can prove that here'],
  ['to nothing that can be read', 'x', certificate, 'nothing can prove that here'],
  ['to null', null, certificate, 'nothing can prove that here'],
  ['to a thumbprint that is none', { 'x5t#S256': 7 }, certificate, 'nothing can prove that here'],
])('one that is bound %s is refused', (_name, cnf, shown, detail) => {
  expect(() => checkConfirmation(bound(cnf), shown)).toThrow(
    expect.objectContaining({ code: 'TOKEN_INVALID', detail: expect.stringContaining(detail) }),
  );
});
