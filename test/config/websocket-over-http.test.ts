import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/config/secret.ts';
import { parsed, problemOf, sampleConfig, warningsOf } from '../support/config.ts';

/** A configuration with a service of this profile: the YAML of what more its `poll` section holds. */
function withService(more = ''): string {
  const route = `
  - name: feed
    match: { path: /feed }
    auth: { issuer: main }
    upstream: { poll: { profile: websocket-over-http, target: http://127.0.0.1:3001, ${more} } }`;
  return sampleConfig({ route });
}

const pollOf = (text: string, env: Record<string, string> = {}) => parsed(text, env).routes[1]?.upstream.poll;

test('all headers pass unless some are listed', () => {
  expect(pollOf(withService())).toMatchObject({ headers: { isAll: true } });
  expect(pollOf(withService('headers: [Cookie]'))).toMatchObject({
    headers: { isAll: false, pass: ['cookie'] },
  });
});

test.each(['accept', 'Connection-Id', 'meta_user', 'grip-sig', 'Content-Type', 'idempotency-key', 'host'])(
  'the header %s is the protocol’s own',
  (name) => {
    expect(problemOf(withService(`headers: [cookie, ${name}]`))).toMatch(/nobody else may say it/);
  },
);

test.each(['ws', '/ws?a=1', '/{room}', '/a b', '/a#b'])('%s is no path of it', (path) => {
  expect(problemOf(withService(`path: "${path}"`))).toMatch(/is not a path that starts with/);
});

test('another profile has none of its keys', () => {
  const text = withService('grip: {}').replace('websocket-over-http', 'generic');
  expect(problemOf(text.replace('grip', 'send: { path: /a }, grip'))).toMatch(/grip/);
});

test('an unknown profile is named as such', () => {
  expect(problemOf(withService().replace('websocket-over-http', 'websockets'))).toMatch(
    /expected generic, websocket-over-http/,
  );
});

test('the secret of signatures is shown to nobody, and comes from elsewhere', () => {
  const text = withService(`grip: { secret: "\${KEY}" }`);
  const config = pollOf(text, { KEY: 's3cr3t' });
  expect(config).toMatchObject({ grip: { secret: expect.any(Secret), issuer: 'sallyport' } });
  expect(JSON.stringify(config)).not.toContain('s3cr3t');
  expect(warningsOf(text, { KEY: 's3cr3t' })).toEqual([]);
  expect(warningsOf(withService('grip: { secret: s3cr3t }'))).toEqual([
    'routes[1].upstream.poll.grip.secret: stands in the file for all to read',
  ]);
});

test('the secret of signatures may be a file', async () => {
  const folder = mkdtempSync('/tmp/sallyport-grip-');
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/key`, 's3cr3t\n');
  const config = pollOf(withService(`grip: { secret: "file:${folder}/key" }`));
  expect(config?.profile === 'websocket-over-http' && config.grip.secret?.reveal()).toBe('s3cr3t');
});
