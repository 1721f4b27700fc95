import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { converse } from '../support/conversation.ts';
import { startGuardedExample } from '../support/example.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { inboxOf } from '../support/poll.ts';
import { startCgi, startPhp } from '../support/scripts.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { pageHeaders, visitorOf } from '../support/visitor.ts';

/** WebSockets for services that have none, by the examples: a script for each message, and a model that answers token by token. */

const PHP = `<?php
header('Content-Type: text/plain; charset=utf-8');
if ($_POST['text'] === '') { http_response_code(422); exit('say something'); }
echo $_POST['number'], ' ', $_POST['user'], ': ', $_POST['text'];
`;
const GOODBYE = `<?php
file_put_contents('goodbye.txt', $_POST['user'] . ' ' . $_SERVER['HTTP_X_CODE'] . ' ' . $_GET['reason']);
`;

test('a script in PHP answers each message, refuses one, and is told of the end', async () => {
  const php = await startPhp({
    'message.php': PHP,
    'goodbye.php': GOODBYE,
    'told.php': `<?php @readfile('goodbye.txt');`,
  });
  const origin = `http://127.0.0.1:${php.port}`;
  const guarded = await startGuardedExample('php', { 'http://127.0.0.1:8000': origin });
  const visitor = visitorOf(guarded, pageHeaders(guarded));
  const { webSocket } = await visitor.converse('/live');
  const inbox = inboxOf(webSocket);
  webSocket.send('grüß "Gott" & co=1');
  expect(await inbox.atLeast(1)).toEqual(['1 alice: grüß "Gott" & co=1']);
  webSocket.send('');
  expect((await inbox.atLeast(2))[1]).toBe('say something');
  const numbers = Array.from({ length: 20 }, (_, index) => index + 3);
  for (const number of numbers) webSocket.send(`m${number}`);
  // As they come: several are run at a time.
  const replies = (await inbox.atLeast(22)).slice(2);
  expect(new Set(replies)).toEqual(new Set(numbers.map((number) => `${number} alice: m${number}`)));
  webSocket.close(4001, 'bye & thanks');
  const told = async () => (await fetch(`${origin}/told.php`)).text();
  await eventually(async () => (await told()) === 'alice 4001 bye & thanks', 'the goodbye');
});

const CGI = `#!/bin/sh
text=$(head -c "$CONTENT_LENGTH")
case $text in
  quiet) printf 'Status: 204 No Content\\r\\n\\r\\n' ;;
  bad) printf 'Status: 422 Unprocessable Content\\r\\nContent-Type: text/plain\\r\\n\\r\\nbad' ;;
  *) printf 'Content-Type: text/plain\\r\\n\\r\\n%s of %s' "$text" "$HTTP_USER_AGENT" ;;
esac
`;

test('a CGI script answers each message', async () => {
  const cgi = await startCgi({ 'cgi-bin/message': CGI });
  const gateway = await startGateway(`
routes:
  - name: script
    match: { path: /live }
    auth: none
    upstream: { post: "http://127.0.0.1:${cgi.port}/cgi-bin/message" }`);
  onTestFinished(() => gateway.close());
  const { webSocket } = await converse(gateway.url('/live'), [], { headers: { 'user-agent': 'tests' } });
  const inbox = inboxOf(webSocket);
  for (const text of ['one', 'quiet', 'bad', 'two']) webSocket.send(text);
  expect(await inbox.atLeast(3)).toEqual(['one of tests', 'bad', 'two of tests']);
});

test('the scripts of the guide answer as it says', async () => {
  const guide = await readFile('config/guide/http-services.md', 'utf8');
  const [, php = ''] = /```php\n(.*?)```/s.exec(guide) ?? [];
  const [, cgi = ''] = /```sh\n(#!.*?)```/s.exec(guide) ?? [];
  const servers = [await startPhp({ 'message.php': php }), await startCgi({ 'cgi-bin/message': cgi })];
  const urls = servers.map(
    ({ port }, at) => `http://127.0.0.1:${port}${['/message.php', '/cgi-bin/message'][at]}`,
  );
  const gateway = await startGateway(`
routes:
  - { name: php, match: { path: /php }, auth: none, upstream: { post: "${urls[0]}" } }
  - { name: cgi, match: { path: /cgi }, auth: none, upstream: { post: "${urls[1]}" } }`);
  onTestFinished(() => gateway.close());
  for (const path of ['/php', '/cgi']) {
    const { webSocket } = await converse(gateway.url(path), [], {});
    const inbox = inboxOf(webSocket);
    for (const text of ['one', 'zwei ü']) webSocket.send(text);
    expect(await inbox.atLeast(2)).toEqual(['you said one', 'you said zwei ü']);
  }
});

/** A model with the API that many have: what it was asked, and its answers under way. */
async function startModel() {
  const asked: { url: string; key: string; body: string }[] = [];
  const answers: ServerResponse[] = [];
  const server = createServer(async (request, response) => {
    const body = String(await buffer(request));
    const { authorization = '', 'x-api-key': key = authorization } = request.headers;
    asked.push({ url: request.url ?? '', key: String(key), body });
    answers.push(response.writeHead(200, { 'content-type': 'text/event-stream' }));
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return { asked, answers, origin: `http://127.0.0.1:${portOf(server)}` };
}

const token = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

test('a model answers token by token, asked for no more than it may be', async () => {
  const { asked, answers, origin } = await startModel();
  const guarded = await startGuardedExample('llm', {
    'https://llm.example.com/v1/chat': `${origin}/v1/chat`,
    'https://llm.example.com/v1/messages': `${origin}/v1/messages`,
    '${LLM_KEY}': 'secret-1',
    '${OTHER_LLM_KEY}': 'secret-2',
  });
  const visitor = visitorOf(guarded, { origin: 'https://app.example.com' });
  const { webSocket } = await visitor.converse('/tokens', ['bearer', guarded.token]);
  const inbox = inboxOf(webSocket);
  webSocket.send(
    '{"messages":[{"role":"user","content":"hi"}],"tools":["shell"],"seed":12345678901234567890}',
  );
  await eventually(() => answers.length === 1, 'the request');
  expect(asked[0]).toEqual({
    url: '/v1/chat/completions',
    key: 'Bearer secret-1',
    body: '{"messages":[{"role":"user","content":"hi"}],"seed":12345678901234567890,"stream":true,"model":"large","user":"alice"}',
  });
  answers[0]?.write(token('Hel'));
  expect(await inbox.atLeast(1)).toEqual(['Hel']);
  answers[0]?.end(`${token('lo')}data: {"choices":[]}\n\ndata: [DONE]\n\n`);
  expect(await inbox.atLeast(3)).toEqual(['Hel', 'lo', '[DONE]']);
});
