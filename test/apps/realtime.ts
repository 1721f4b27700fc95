import { createServer, type IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import { serve } from './serve.ts';

/** A service that speaks as much of OpenAI's Realtime API as one answer in text takes, and asks for its key. */
export interface RealtimeService {
  readonly port: number;
  /** The key it takes. */
  key: string;
  /** Every handshake as it came: target, names and values. */
  readonly asked: string[];
}

const ANSWER = ['It is ', 'ten ', 'o’clock.'];
const TEXT = ANSWER.join('');

/** Starts one, gone when the test has finished. As that API does, it takes the key from a header and chooses `realtime`. */
export async function startRealtime(key: string): Promise<RealtimeService> {
  const http = createServer();
  const asked: string[] = [];
  const service = { port: await serve(http), key, asked };
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'realtime' });
  // As a careless one does.
  sockets.on('headers', (fields, { headers }) => fields.push(`X-Key: ${headers.authorization}`));
  http.on('upgrade', (request: IncomingMessage, socket, head) => {
    asked.push([request.url, ...request.rawHeaders].join('\n'));
    if (request.headers.authorization === `Bearer ${service.key}`)
      sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket));
    else socket.end(refusalOf(request));
  });
  sockets.on('connection', (socket) => {
    let count = 0;
    function tell(type: string, more: object): void {
      count += 1;
      socket.send(JSON.stringify({ type, event_id: `event_${count}`, ...more }));
    }
    tell('session.created', { session: { type: 'realtime' } });
    socket.on('message', (data) => reactTo(JSON.parse(String(data)), tell));
  });
  return service;
}

/** It says of which key it speaks, as real ones do in part. */
function refusalOf({ headers }: IncomingMessage): string {
  const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${headers.authorization}` } });
  const fields = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return `HTTP/1.1 401 Unauthorized\r\n${fields}\r\n\r\n${body}`;
}

interface ClientEvent {
  readonly type: string;
  readonly session?: object;
  readonly item?: object;
}

function reactTo({ type, session, item }: ClientEvent, tell: (type: string, more: object) => void): void {
  if (type === 'session.update') tell('session.updated', { session });
  if (type === 'conversation.item.create')
    tell('conversation.item.added', { item: { id: 'item_user', status: 'completed', ...item } });
  if (type === 'response.create') answer(tell);
}

function answer(tell: (type: string, more: object) => void): void {
  const part = { response_id: 'response_1', item_id: 'item_1', output_index: 0, content_index: 0 };
  const message = {
    id: 'item_1',
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text: TEXT }],
  };
  tell('response.created', { response: { id: 'response_1', status: 'in_progress', output: [] } });
  for (const delta of ANSWER) tell('response.output_text.delta', { ...part, delta });
  tell('response.output_text.done', { ...part, text: TEXT });
  tell('response.done', { response: { id: 'response_1', status: 'completed', output: [message] } });
}
