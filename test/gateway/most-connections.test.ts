import { expect, test } from 'vitest';
import { mostConnections } from '../../src/gateway/most-connections.ts';
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
