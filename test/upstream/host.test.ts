import { expect, test } from 'vitest';
import { compileHost } from '../../src/upstream/host.ts';
import { targetsOf } from '../../src/upstream/target.ts';
import { routeConfig } from '../support/handshakes.ts';

const CLIENT = { authority: 'App.example.com:8443' };

test.each([
  [undefined, 'http://app.internal', 'App.example.com:8443'],
  ['client', 'http://app.internal', 'App.example.com:8443'],
  ['site.test:81', 'http://app.internal', 'site.test:81'],
  ['upstream', 'http://app.internal', 'app.internal'],
  ['upstream', 'http://app.internal:80/base', 'app.internal'],
  ['upstream', 'https://app.internal:443', 'app.internal'],
  ['upstream', 'https://app.internal:80', 'app.internal:80'],
  ['upstream', 'http://app.internal:3000', 'app.internal:3000'],
  ['upstream', 'http://[::1]', '[::1]'],
  ['upstream', 'http://[::1]:3000', '[::1]:3000'],
])('with host %s, %s is asked for %s', (host, url, expected) => {
  const { upstream } = routeConfig({ upstream: { http: url, host } });
  const [target] = targetsOf(upstream, 'http');
  if (target === undefined) throw new Error('no target');
  expect(compileHost(upstream.host)(CLIENT, target)).toBe(expected);
});
