import { randomBytes } from 'node:crypto';
import { startBoard } from './board.ts';
import { startChat } from './chat.ts';
import { startLines } from './lines.ts';
import { startRedis } from './redis/service.ts';
import { startSite } from './site.ts';
import { startSql } from './sql/service.ts';
import { createMint, type Mint } from './token.ts';

/** Everything the demo's gateway stands in front of. */
export interface Services {
  /** What config/demo.yaml reads from the environment about them. */
  readonly env: Readonly<Record<string, string>>;
  readonly mint: Mint;
  close(): Promise<void>;
}

/** Starts all of them, each on a free loopback port, with a new secret. */
export async function startServices(): Promise<Services> {
  const secret = randomBytes(32).toString('base64url');
  const mint = createMint(secret);
  const starting = {
    CHAT_PORT: startChat(),
    LINES_PORT: startLines(),
    BOARD_PORT: startBoard(),
    REDIS_PORT: startRedis(),
    SQL_PORT: startSql(),
    SITE_PORT: startSite(mint),
  };
  const services = await Promise.all(Object.values(starting));
  const ports = Object.keys(starting).map((name, at) => [name, String(services[at]?.port)]);
  return {
    env: { ...Object.fromEntries(ports), DEMO_SECRET: secret },
    mint,
    async close() {
      await Promise.all(services.map((service) => service.close()));
    },
  };
}
