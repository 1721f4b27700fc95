import { expect, test } from 'vitest';
import { mostConnections, mostParked } from '../../src/gateway/most-connections.ts';
import { createLogger } from '../../src/observe/log.ts';
import { parsed, sampleConfig } from '../support/config.ts';

test.each([
  ['', 480],
  ['admin: { port: 0 }', 480],
  [`admin: { port: 0, secret: "\${S}" }`, 448],
  [`admin: { port: 0, aws: { accessKeyId: AKIAIOSFODNN7EXAMPLE, secretAccessKey: "\${S}" } }`, 448],
])(
  '1024 open files and %s: the connections of services are kept back from clients',
  async (top, expected) => {
    const config = parsed(sampleConfig({ top }), { S: 'x'.repeat(32) });
    const logger = createLogger({ level: 'silent' });
    expect(await mostConnections(config, logger, async () => 1024)).toBe(expected);
  },
);

const TARGET = 'target: http://127.0.0.1:1';

test.each([
  ['tcp: 127.0.0.1:1', 480],
  ['tcp: 127.0.0.1:1, resume: { max: 10 }', 475],
  ['tcp: 127.0.0.1:1, resume: 60s', 416],
  ['post: http://127.0.0.1:1', 480],
  [`poll: { ${TARGET}, poll: { path: /a } }`, 480],
  [`poll: { ${TARGET}, poll: { path: /a }, send: { path: /b } }`, 320],
  [`poll: { ${TARGET}, poll: { path: /a }, send: { path: /b, concurrency: 4 } }`, 160],
  [`poll: { ${TARGET}, send: { path: /b, concurrency: 64 } }`, 14],
  [`post: { ${TARGET}, concurrency: 8, http2: on }`, 480],
  [`post: { profile: aws, ${TARGET}, concurrency: 2 }`, 320],
  [`post: { profile: cloudevents, hub: h, ${TARGET} }`, 480],
  [`poll: { profile: websocket-over-http, ${TARGET} }`, 480],
  [`poll: { profile: engine.io, ${TARGET} }`, 320],
  [`poll: { profile: sockjs, ${TARGET}, path: /s }`, 320],
  [`poll: { profile: bayeux, ${TARGET}, path: /s }`, 320],
])('1024 open files and %s: as many fit as may be open', async (upstream, expected) => {
  const route = `  - { name: b, match: { path: /b }, auth: { issuer: main }, upstream: { ${upstream} } }`;
  const logger = createLogger({ level: 'silent' });
  expect(await mostConnections(parsed(sampleConfig({ route })), logger, async () => 1024)).toBe(expected);
});

test.each([
  ['', 1024, 0],
  [', resume: { max: 10 }', 1024, 10],
  [', resume: 60s', 1024, 128],
  [', resume: 60s', 65_536, 1_000],
  [', resume: 60s', undefined, 1_000],
])('of {%s } and %s open files so many may wait for their clients', async (resume, openFiles, expected) => {
  const route = `  - { name: b, match: { path: /b }, auth: { issuer: main }, upstream: { tcp: "h:1" ${resume} } }`;
  expect(await mostParked(parsed(sampleConfig({ route })), async () => openFiles)).toBe(expected);
});
