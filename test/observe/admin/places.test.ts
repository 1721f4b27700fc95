import { Agent, get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { Backchannel } from '../../../src/observe/admin/backchannel.ts';
import { startAdmin } from '../../../src/observe/admin.ts';
import { createLogger } from '../../../src/observe/log.ts';
import { desks } from '../../support/desks.ts';

const SECRET = 'thirty-two-bytes-of-a-good-secret';

test('services that keep all the connections they may have do not keep others from looking at the gateway', async () => {
  const backchannel: Partial<Backchannel> = { describe: () => undefined };
  const admin = await startAdmin(
    { host: '127.0.0.1', port: 0, secret: SECRET },
    {
      ready: () => ({ ready: true }),
      metrics: { render: async () => 'up 1\n', contentType: 'text/plain' },
      ...desks({ backchannel }),
      logger: createLogger({ level: 'silent' }),
    },
  );
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 65 });
  onTestFinished(async () => {
    agent.destroy();
    await admin.close();
  });
  async function ask(path: string): Promise<string> {
    const options = { host: '127.0.0.1', port: admin.address?.port, path, agent };
    const headers = { authorization: `Bearer ${SECRET}` };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ ...options, headers }, resolve).on('error', reject);
    });
    await text(answer);
    return `${answer.statusCode} ${answer.headers.connection}`;
  }
  const answers = await Promise.all(Array.from({ length: 65 }, () => ask('/connections/x')));
  expect(answers.toSorted()).toEqual([...Array.from({ length: 64 }, () => '410 keep-alive'), '429 close']);
  expect((await fetch(`http://127.0.0.1:${admin.address?.port}/metrics`)).status).toBe(200);
});
