import { expect, test } from 'vitest';
import { createWorkersBackchannel } from '../../src/workers/backchannel.ts';
import type { Member } from '../../src/workers/crew.ts';

/** What a service says of its own accord, brought to the worker that has the connection. */

test('where no worker answers it is said so', async () => {
  const line = { ask: () => Promise.reject(new Error('the other process is gone')) };
  const gone = { number: 1, name: '1.1', pid: 1, line, isListening: true } as unknown as Member;
  for (const workers of [[], [gone, gone]])
    await expect(createWorkersBackchannel(workers).push('id', [] as never, 1)).rejects.toThrow(
      'no worker answers',
    );
});
