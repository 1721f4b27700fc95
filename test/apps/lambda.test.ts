import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startGuardedExample } from '../support/example.ts';
import { eventually, within } from '../support/patience.ts';
import { closeOf, inboxOf } from '../support/poll.ts';
import { serve } from './serve.ts';

/** A function written for API Gateway, run as Lambda runs it, which speaks first by AWS's own SDK: the gateway is API Gateway here. */

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const INVOCATIONS = '/2015-03-31/functions/function/invocations';

/** What of an event the function looks at. */
interface Event {
  readonly requestContext: { readonly routeKey: string; readonly connectionId: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly queryStringParameters?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Handler = (event: Event) => Promise<unknown>;

/** A chat: who is in it is kept by the function itself. */
function chat(sdk: () => ApiGatewayManagementApiClient) {
  const members = new Set<string>();
  const handler: Handler = async ({ requestContext, headers = {}, queryStringParameters, body = '' }) => {
    const { routeKey, connectionId } = requestContext;
    if (routeKey === '$connect') {
      if (queryStringParameters?.room === 'closed') return { statusCode: 403, body: 'the room is closed' };
      members.add(connectionId);
      const [first] = headers['Sec-WebSocket-Protocol']?.split(', ') ?? [];
      return { statusCode: 200, headers: { 'Sec-WebSocket-Protocol': first } };
    }
    if (routeKey === '$disconnect') members.delete(connectionId);
    if (routeKey === 'sendmessage') {
      const Data = JSON.parse(body).message;
      for (const ConnectionId of members)
        await sdk().send(new PostToConnectionCommand({ ConnectionId, Data }));
    }
    if (routeKey !== '$default') return { statusCode: 200 };
    if (body === 'throw') throw new Error('oh');
    return { statusCode: 200, body: `you said ${body}` };
  };
  return { members, handler };
}

/** Runs a function as the runtime interface emulator does. */
function run(handler: Handler) {
  return createServer(async (request, response) => {
    if (request.url !== INVOCATIONS) return void response.writeHead(404).end();
    const result = await handler((await json(request)) as Event).catch((error: Error) => ({
      errorMessage: error.message,
      errorType: error.name,
    }));
    response.end(JSON.stringify(result));
  });
}

async function startScene() {
  let sdk: ApiGatewayManagementApiClient;
  const { members, handler } = chat(() => sdk);
  const port = await serve(run(handler));
  const guarded = await startGuardedExample('lambda', {
    'http://127.0.0.1:9000': `http://127.0.0.1:${port}`,
    'port: 9090': 'port: 0',
    AKIACHATSOWNFUNCTION: CREDENTIALS.accessKeyId,
    '${PUSH_KEY}': CREDENTIALS.secretAccessKey,
  });
  const endpoint = `http://127.0.0.1:${guarded.gateway.gateway.adminAddress?.port}/prod`;
  sdk = sdkOf(endpoint);
  return { ...guarded, endpoint, sdk, members };
}

/** AWS's client, as it is. */
function sdkOf(endpoint: string, given = CREDENTIALS): ApiGatewayManagementApiClient {
  const sdk = new ApiGatewayManagementApiClient({ endpoint, region: 'eu-central-1', credentials: given });
  onTestFinished(() => sdk.destroy());
  return sdk;
}

type Scene = Awaited<ReturnType<typeof startScene>>;

function clientOf({ gateway, ca, token }: Scene, query = ''): WebSocket {
  const url = `wss://localhost:${gateway.port}/chat${query}`;
  const options = { ca, origin: 'https://app.example.com', headers: { host: 'app.example.com' } };
  const client = new WebSocket(url, ['chat', `authorization.bearer.${token}`], options);
  client.on('error', () => {});
  onTestFinished(() => client.terminate());
  return client;
}

async function connect(scene: Scene) {
  const client = clientOf(scene);
  await within(once(client, 'open'), 'an open WebSocket');
  return { client, inbox: inboxOf(client) };
}

test('clients are let in, answered and told of, and hear what others say', async () => {
  const scene = await startScene();
  const [one, other] = [await connect(scene), await connect(scene)];
  expect(one.client.protocol).toBe('chat');
  one.client.send('hello');
  one.client.send('throw');
  one.client.send('{"action":"sendmessage","message":"to all"}');
  expect(await one.inbox.atLeast(3)).toEqual([
    'you said hello',
    expect.stringContaining('Internal server error'),
    'to all',
  ]);
  expect(await other.inbox.atLeast(1)).toEqual(['to all']);
  expect(other.inbox.messages[0]?.binary).toBe(false);
  one.client.close();
  await eventually(() => scene.members.size === 1, '$disconnect');
});

test('a client that $connect refuses gets its answer', async () => {
  const client = clientOf(await startScene(), '?room=closed');
  const [, response] = await within(once(client, 'unexpected-response'), 'the refusal');
  let body = '';
  for await (const chunk of response) body += chunk;
  expect([response.statusCode, body]).toEqual([403, 'the room is closed']);
});

test('the SDK looks at connections, ends them, and knows of what is gone', async () => {
  const scene = await startScene();
  const { client } = await connect(scene);
  const [ConnectionId] = [...scene.members];
  const { ConnectedAt, Identity } = await scene.sdk.send(new GetConnectionCommand({ ConnectionId }));
  expect(Number(ConnectedAt)).toBeGreaterThan(Date.now() - 60_000);
  expect(Identity?.SourceIp).toBe('127.0.0.1');
  await scene.sdk.send(new DeleteConnectionCommand({ ConnectionId }));
  expect(await closeOf(client)).toMatchObject({ code: 1000 });
  const late = scene.sdk.send(new PostToConnectionCommand({ ConnectionId, Data: 'late' }));
  await expect(late).rejects.toThrow(GoneException);
});

test('an SDK that is refused sets its clock by the answer; with another key nothing helps', async () => {
  const scene = await startScene();
  const { inbox } = await connect(scene);
  const [ConnectionId] = [...scene.members];
  const late = sdkOf(scene.endpoint);
  late.config.systemClockOffset = -3_600_000;
  const early = late.send(new PostToConnectionCommand({ ConnectionId, Data: 'an hour ago' }));
  await expect(early).rejects.toThrow('not of now');
  await late.send(new PostToConnectionCommand({ ConnectionId, Data: 'now' }));
  expect(await inbox.atLeast(1)).toEqual(['now']);
  const stranger = sdkOf(scene.endpoint, { ...CREDENTIALS, secretAccessKey: 'x'.repeat(40) });
  await expect(stranger.send(new PostToConnectionCommand({ ConnectionId, Data: 'x' }))).rejects.toMatchObject(
    {
      name: 'InvalidSignatureException',
      message: expect.stringContaining('does not match'),
    },
  );
});
