import { expect, test } from 'vitest';
import { startGuardedExample, startSecureExample } from '../support/example.ts';
import { runPython, startPython } from '../support/python.ts';

/** A charging station and its central system, both of Debian's python3-websockets, that sign in by HTTP Basic over TLS. */

async function startScene() {
  const central = await startPython('ocpp.py', 'ask');
  const { gateway, caFile } = await startSecureExample('ocpp', {
    '127.0.0.1:9000': `127.0.0.1:${central.port}`,
  });
  const charge = (...more: readonly string[]) =>
    runPython('ocpp.py', 'charge', `wss://localhost:${gateway.port}/ocpp`, caFile, ...more);
  return { gateway, charge };
}

test('a station is known to its central system, and is answered', async () => {
  const { gateway, charge } = await startScene();
  const { output, errors } = await charge();
  expect(errors).toBe('');
  expect(JSON.parse(output)).toMatchObject({
    protocol: 'ocpp1.6',
    answer: [3, '1', { status: 'Accepted', station: 'CP-001', action: 'BootNotification' }],
  });
  expect(JSON.stringify(gateway.log)).not.toMatch(/authorization|Basic /i);
});

test('a wrong password is refused by the central system, with its own challenge', async () => {
  const { charge } = await startScene();
  const { code, errors } = await charge('guessed');
  expect(code).toBe(1);
  expect(errors).toMatch(/HTTP 401/);
});

test('its password may be a token that the gateway checks, and that goes no further', async () => {
  const central = await startPython('ocpp.py', 'serve');
  const { gateway, caFile, token } = await startGuardedExample('ocpp-token', {
    '127.0.0.1:9000': `127.0.0.1:${central.port}`,
  });
  const charge = (password: string) =>
    runPython('ocpp.py', 'charge', `wss://localhost:${gateway.port}/ocpp`, caFile, password);
  const { output, errors } = await charge(token);
  expect(errors).toBe('');
  expect(JSON.parse(output)).toMatchObject({
    protocol: 'ocpp1.6',
    answer: [3, '1', { status: 'Accepted', station: 'alice', basic: false }],
  });
  expect((await charge('guessed')).errors).toMatch(/HTTP 401/);
  expect(JSON.stringify(gateway.log)).not.toContain(token);
});
