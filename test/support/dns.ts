import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A DNS server on a port of its own that answers A and AAAA questions as it is told. */
export interface DnsServer extends AsyncDisposable {
  /** For `Resolver#setServers`. */
  readonly address: string;
  /** `NAME A` or `NAME AAAA`, in the order they came. */
  readonly questions: string[];
  close(): Promise<void>;
}

/** Addresses with their TTL in seconds, behind other names if there are any (an empty list: the name has none), `nxdomain`, `servfail`, or `silence`. */
export type DnsAnswer =
  | { readonly ttl: number; readonly addresses: readonly string[]; readonly aliases?: readonly string[] }
  | 'nxdomain'
  | 'servfail'
  | 'silence';

const CODES = { nxdomain: 3, servfail: 2 } as const;

type Answering = (name: string, type: 'A' | 'AAAA') => DnsAnswer | Promise<DnsAnswer>;

export async function startDns(answer: Answering): Promise<DnsServer> {
  const socket = createSocket('udp4');
  const questions: string[] = [];
  let closed: Promise<void> | undefined;
  socket.on('message', async (query, peer) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${name} ${type}`);
    const reply = await answer(name, type);
    if (reply !== 'silence' && closed === undefined)
      socket.send(write(query.subarray(0, end), type, reply), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  function close(): Promise<void> {
    closed ??= new Promise<void>((resolve) => socket.close(resolve));
    return closed;
  }
  return { address: `127.0.0.1:${socket.address().port}`, questions, close, [Symbol.asyncDispose]: close };
}

function readQuestion(query: Buffer): { name: string; type: 'A' | 'AAAA'; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return {
    name: labels.join('.').toLowerCase(),
    type: query.readUInt16BE(at + 1) === 28 ? 'AAAA' : 'A',
    end: at + 5,
  };
}

function write(question: Buffer, type: 'A' | 'AAAA', reply: Exclude<DnsAnswer, 'silence'>): Buffer {
  const fits = (address: string) => address.includes(':') === (type === 'AAAA');
  const addresses = typeof reply === 'string' ? [] : reply.addresses.filter(fits);
  const ttl = typeof reply === 'string' ? 0 : reply.ttl;
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8180 | (typeof reply === 'string' ? CODES[reply] : 0), 2);
  const aliases = typeof reply === 'string' ? [] : (reply.aliases ?? []);
  head.writeUInt16BE(aliases.length + addresses.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  // The name of the question stands at byte 12.
  const owners = [Buffer.from([0xc0, 0x0c]), ...aliases.map(labels)];
  const chain = aliases.map((alias, at) => record(owners[at] as Buffer, CNAME, ttl, labels(alias)));
  const last = owners.at(-1) as Buffer;
  const found = addresses.map((address) =>
    type === 'A'
      ? record(last, 1, ttl, Buffer.from(address.split('.').map(Number)))
      : record(last, 28, ttl, ipv6(address)),
  );
  return Buffer.concat([head, ...chain, ...found]);
}

const CNAME = 5;

function labels(name: string): Buffer {
  const parts = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function record(owner: Buffer, type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttl, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, head, data]);
}

/** With at most one `::`. */
function ipv6(address: string): Buffer {
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const missing = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...new Array<string>(missing).fill('0'), ...groups(right)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
