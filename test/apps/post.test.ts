import { createServer } from 'node:http';
import express from 'express';
import { expect, test } from 'vitest';
import { startGuardedExample } from '../support/example.ts';
import { eventually } from '../support/patience.ts';
import { inboxOf } from '../support/poll.ts';
import { visitorOf } from '../support/visitor.ts';
import { serve } from './serve.ts';

/** An Express application without WebSockets, which has them by the gateway before it. */
function application(left: object[]) {
  const app = express();
  app.use(express.json());
  app.post('/connect', ({ body }, answer) => void answer.status(body.user === 'alice' ? 204 : 403).end());
  app.post('/message', (question, answer) => {
    const { text } = question.body;
    if (typeof text !== 'string') answer.status(400).json({ error: 'what?' });
    else answer.json({ reply: `${question.get('x-user')} in ${question.query.room}: ${text}` });
  });
  app.post('/disconnect', ({ body }, answer) => {
    left.push(body);
    answer.sendStatus(204);
  });
  return app;
}

test('an Express application answers each message, lets nobody else in, and is told who has left', async () => {
  const left: object[] = [];
  const port = await serve(createServer(application(left)));
  const guarded = await startGuardedExample('express', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${port}`,
  });
  const visitor = visitorOf(guarded, { origin: 'https://app.example.com' });
  const { webSocket } = await visitor.converse('/chat/blue%20sky', ['bearer', guarded.token]);
  const inbox = inboxOf(webSocket);
  for (const message of ['{"text":"hi"}', '{}', 'no JSON', '{"text":"bye"}']) webSocket.send(message);
  const [first, second, third, last] = await inbox.atLeast(4);
  expect([first, second, last]).toEqual([
    '{"reply":"alice in blue sky: hi"}',
    '{"error":"what?"}',
    '{"reply":"alice in blue sky: bye"}',
  ]);
  // Express's own page of an error, of whatever its parser says.
  expect(third).toMatch(/^<!DOCTYPE html>[\s\S]*SyntaxError/);
  webSocket.close(1000, 'done');
  await eventually(() => left.length === 1, 'the goodbye');
  expect(left).toEqual([{ user: 'alice', code: 1000, reason: 'done' }]);

  const stranger = visitor.converse('/chat/blue', ['bearer', guarded.mint({ sub: 'bob' })]);
  await expect(stranger).rejects.toThrow('403');
  expect(left).toHaveLength(1);
});
