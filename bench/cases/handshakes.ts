import type { Case, Kind, Target, Tools } from '../types.ts';

/** What opening a connection costs; each is closed again at once. Who checks no tokens takes any. */

const WORKERS = 16;
/** More than any gateway here opens in a second. */
const TOKENS_A_SECOND = 5000;

type Tokens = (tools: Tools) => Promise<string[]>;

const common: Tokens = async ({ bed }) => [bed.tokens.common];
const repeated: Tokens = ({ bed }) => bed.tokens.sign(1);
export const fresh: Tokens = ({ bed, seconds, warmUp }) =>
  bed.tokens.sign(Math.ceil((seconds + warmUp) * TOKENS_A_SECOND));

export const handshakeCases: Case[] = [
  handshakeCase('handshake-open', 'no auth', 'open', common, { atMost: 3 }),
  handshakeCase('handshake-fresh', 'a fresh ES256 token each', 'signed', fresh, { atMost: 8 }),
  handshakeCase('handshake-repeated', 'one ES256 token for all', 'signed', repeated, { atMost: 4 }),
];

function handshakeCase(
  name: string,
  title: string,
  kind: Kind,
  tokensOf: Tokens,
  bound: Pick<Target, 'atMost'>,
): Case {
  return {
    name,
    group: 'Handshakes',
    title,
    unit: 'handshake',
    metrics: ['cpuUs', 'rate', 'p50Us', 'p99Us', 'busy'],
    peers: ['nginx', 'HAProxy', 'http-proxy', 'Sallyport'],
    targets: [{ metric: 'cpuUs', against: 'nginx', ...bound }],
    async run(peer, tools) {
      const { load, seconds, warmUp } = tools;
      const job = { workers: WORKERS, echo: false, seconds, warmUp };
      if (peer.endpoint(kind) === undefined) return load.cycles(peer, { kind: 'open' }, job);
      return load.cycles(peer, { kind }, { ...job, tokens: await tokensOf(tools) });
    },
  };
}
