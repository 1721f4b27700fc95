import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TokenVerifier } from '../../src/admission/token/verifier.ts';
import { readinessOf } from '../../src/gateway/readiness.ts';
import { startGateway } from '../support/gateway.ts';

const verifiers = (ready: boolean) => new Map([['main', { ready } as TokenVerifier]]);

test.each([
  [{ isListening: true, isDraining: false, hasKeys: true }, { ready: true }],
  [
    { isListening: false, isDraining: false, hasKeys: true },
    { ready: false, why: 'starting' },
  ],
  [
    { isListening: true, isDraining: true, hasKeys: true },
    { ready: false, why: 'draining' },
  ],
  [
    { isListening: true, isDraining: false, hasKeys: false },
    { ready: false, why: 'no keys yet of main' },
  ],
])('%j is %j', ({ isListening, isDraining, hasKeys }, expected) => {
  const phase = { isListening: () => isListening, isDraining: () => isDraining };
  expect(readinessOf(verifiers(hasKeys), phase)()).toEqual(expected);
});

test('the configuration that a clone brings is ready at once, and lets nobody in where a token is wanted', async () => {
  const text = readFileSync('config/sallyport.yaml', 'utf8')
    .replace('port: 8080', 'port: 0')
    .replace('port: 9090', 'port: 0')
    .replace('nobody.pem', 'config/nobody.pem');
  await using gate = await startGateway(text);
  const readyz = await fetch(`http://127.0.0.1:${gate.gateway.adminAddress?.port}/readyz`);
  expect(readyz.status).toBe(200);
});
