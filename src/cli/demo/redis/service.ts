import type { Service } from '../service.ts';
import { startTcpService, type Visitor } from '../tcp-service.ts';
import { type Keys, runCommand } from './commands.ts';
import { CommandReader, encodeReply, Fault, RespError, Status } from './resp.ts';

/** A small Redis: some of its commands, over a Map that all visitors share. */
export async function startRedis(): Promise<Service> {
  const keys: Keys = new Map([['greeting', 'hello']]);
  return startTcpService((visitor) => converse(visitor, keys));
}

async function converse({ name, bytes, send }: Visitor, keys: Keys): Promise<void> {
  const reader = new CommandReader();
  const octets = Buffer.from(name).toString('latin1');
  try {
    for await (const chunk of bytes) {
      for (const words of reader.read(chunk)) {
        const isOver = words[0]?.toUpperCase() === 'QUIT';
        const reply = isOver ? new Status('OK') : runCommand(keys, words, octets);
        await send(Buffer.from(encodeReply(reply), 'latin1'));
        if (isOver) return;
      }
    }
  } catch (error) {
    if (!(error instanceof RespError)) throw error;
    await send(encodeReply(new Fault(`ERR Protocol error: ${error.message}`)));
  }
}
