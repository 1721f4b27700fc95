import { randomBytes } from 'node:crypto';
import { startBoard } from './board.ts';
import { startChat } from './chat.ts';
import { startLines } from './lines.ts';
import type { Service } from './service.ts';
import { startSite } from './site.ts';
import { createMint, type Mint } from './token.ts';

/** Everything the demo's gateway stands in front of. */
export interface Services {
  /** What config/demo.yaml reads from the environment about them. */
  readonly env: Readonly<Record<string, string>>;
  readonly mint: Mint;
  close(): Promise<void>;
}

/** Starts the chat, the line service, the board and the website, each on a free loopback port, with a new secret. */
export async function startServices(): Promise<Services> {
  const secret = randomBytes(32).toString('base64url');
  const mint = createMint(secret);
  const services = await Promise.all([startChat(), startLines(), startBoard(), startSite(mint)]);
  const [chat, lines, board, site] = services.map(({ port }: Service) => String(port)) as [
    string,
    string,
    string,
    string,
  ];
  return {
    env: { CHAT_PORT: chat, LINES_PORT: lines, BOARD_PORT: board, SITE_PORT: site, DEMO_SECRET: secret },
    mint,
    async close() {
      await Promise.all(services.map((service) => service.close()));
    },
  };
}
