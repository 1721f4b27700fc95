import type { Service } from '../service.ts';
import { startTcpService, type Visitor } from '../tcp-service.ts';
import { createEngine, type Engine } from './engine.ts';
import { isAllowed, statementsIn, tagOf } from './statements.ts';
import * as wire from './wire.ts';

/** What clients that look at it should take this for. */
const VERSION = '16.0 (the demo of Sallyport)';

/** An SQLite that all visitors share, behind PostgreSQL's protocol: simple queries, no login. */
export async function startSql(engine: Engine = createEngine()): Promise<Service> {
  const { port, close } = await startTcpService((visitor) => converse(visitor, engine));
  return {
    port,
    async close() {
      await close();
      await engine.close();
    },
  };
}

async function converse({ name, bytes, send }: Visitor, engine: Engine): Promise<void> {
  const reader = new wire.MessageReader();
  try {
    for await (const chunk of bytes) {
      for (const message of reader.read(chunk)) {
        if (isGoodbye(message, reader)) return;
        if (!reader.isStarted) await send(start(message, reader));
        else for await (const reply of answer(message, name, engine)) await send(reply);
      }
    }
  } catch (error) {
    if (!(error instanceof wire.WireError)) throw error;
    await send(wire.fault({ code: '08P01', message: error.message }, 'FATAL'));
  }
}

/** A request to cancel comes on a connection of its own, and is not answered. */
function isGoodbye(message: wire.FrontendMessage, { isStarted }: wire.MessageReader): boolean {
  return isStarted ? message.type === 'X' : codeOf(message) === wire.START.CANCEL;
}

function codeOf({ payload }: wire.FrontendMessage): number {
  return payload.length < 4 ? 0 : payload.readUInt32BE();
}

/** Throws WireError. */
function start(message: wire.FrontendMessage, reader: wire.MessageReader): Buffer {
  const code = codeOf(message);
  // TLS is the gateway's.
  if (code === wire.START.SSL || code === wire.START.GSS) return Buffer.from('N');
  if (code !== wire.START.V3) throw new wire.WireError('only version 3.0 of the protocol is spoken here');
  reader.isStarted = true;
  return wire.welcome(VERSION);
}

/** Throws WireError. */
async function* answer(
  { type, payload }: wire.FrontendMessage,
  name: string,
  engine: Engine,
): AsyncGenerator<Buffer> {
  if (type !== 'Q') throw new wire.WireError('only simple queries are answered here, without parameters');
  const statements = statementsIn(payload.toString().replace(/\0$/, ''));
  if (statements.length === 0) yield wire.EMPTY;
  for (const sql of statements) {
    const result = isAllowed(sql) ? await engine.query({ sql, name }) : NOT_ALLOWED;
    const isFault = 'code' in result;
    yield isFault ? wire.fault(result) : wire.result(result, tagOf(sql, result.count));
    if (isFault) break;
  }
  yield wire.READY;
}

/** `insufficient_privilege` */
const NOT_ALLOWED = {
  code: '42501',
  message: 'here are SELECT, INSERT, UPDATE, DELETE, and CREATE, ALTER and DROP of tables, views and indexes',
};
