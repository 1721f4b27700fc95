import { expect, test } from 'vitest';
import { readKeySet } from '../../../src/admission/token/jwks.ts';
import { keySetFault } from '../../../src/admission/token/key-set-text.ts';
import { jwk, keySet, pem, signingKey } from '../../support/tokens.ts';

const KEY = signingKey('ES256');
const URI = 'https://id.example.com/keys';

test('a key set has no fault, whatever its keys are', () => {
  for (const text of [keySet(jwk(KEY)), '{"keys":[]}', '{"keys":[{"kty":"?"}],"issuer":"x"}'])
    expect(keySetFault(text)).toBeUndefined();
});

test.each<[unknown, string]>([
  [
    { issuer: 'https://id.example.com/', jwks_uri: URI },
    `this is a discovery document: write discovery: true, or jwks: ${URI}`,
  ],
  [{ issuer: 'x' }, 'this is a discovery document: write discovery: true, or jwks: its jwks_uri'],
  ...['javascript:1', 'https://a\nb', `https://${'x'.repeat(600)}`, 7].map((uri): [unknown, string] => [
    { issuer: 'x', jwks_uri: uri },
    'this is a discovery document: write discovery: true, or jwks: its jwks_uri',
  ]),
  [jwk(KEY), 'this is one key, not a set: wrap it, {"keys": [...]}'],
  [
    { kid1: '-----BEGIN CERTIFICATE-----\n' },
    'these are certificates by key id: the same provider has them as a key set (JWKS) elsewhere',
  ],
  [{}, 'this has no list of "keys"'],
  [{ keys: {} }, 'this has no list of "keys"'],
  [[], 'this is not a key set: {"keys": [...]}'],
  [null, 'this is not a key set: {"keys": [...]}'],
])('%.60j is told apart', (value, fault) => expect(keySetFault(JSON.stringify(value))).toBe(fault));

test.each([
  ['<!doctype html>', 'this is a page, not JSON'],
  ['\n <html>', 'this is a page, not JSON'],
  [pem(KEY), 'this is PEM: write publicKey: FILE'],
  ['', 'this is not JSON'],
  ['{"keys":[', 'this is not JSON'],
])('%.30j is not even JSON', (text, fault) => expect(keySetFault(text)).toBe(fault));

test('who reads a key set is told', async () => {
  await expect(readKeySet(JSON.stringify({ issuer: 'x', jwks_uri: URI }), ['ES256'])).rejects.toThrow(
    `this is a discovery document: write discovery: true, or jwks: ${URI}`,
  );
});
