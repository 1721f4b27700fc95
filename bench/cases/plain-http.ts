import type { HttpOrder } from '../load/http.ts';
import type { Answer } from '../load/load.ts';
import { reply } from '../measure/processes.ts';
import type { Case, Endpoint, Kind, RunningPeer, Sample, Tools } from '../types.ts';

/** Requests that are no WebSockets, and handshakes that are refused, by the thousand. */

const CONNECTIONS = 32;
const SCRIPT = new URL('../load/http.ts', import.meta.url);

const HANDSHAKE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'c2FsbHlwb3J0LWJlbmNoIQ==',
};

type Shot = Pick<HttpOrder, 'headers' | 'status'>;

export const plainHttpCases: Case[] = [
  {
    ...httpCase('http', 'http', { headers: {}, status: 200 }),
    group: 'Plain HTTP',
    title: 'GET of 1 KiB, passed through',
    peers: ['http-proxy', 'nginx', 'HAProxy', 'httpxy', 'Sallyport'],
  },
  {
    ...httpCase('http-keepalive', 'kept', { headers: {}, status: 200 }),
    group: 'Plain HTTP',
    title: 'GET of 1 KiB, connections kept on both sides',
    peers: ['node:http', 'nginx', 'HAProxy', 'http-proxy', 'httpxy', 'Sallyport'],
    targets: [{ metric: 'cpuUs', against: 'node:http', atMost: 1.35 }],
    quick: true,
  },
  refusalCase('refusal-401', 'no token: 401', 'locked', { headers: HANDSHAKE, status: 401 }),
  refusalCase('refusal-403', 'a foreign origin: 403', 'foreign', {
    headers: { ...HANDSHAKE, origin: 'https://elsewhere.test' },
    status: 403,
  }),
  refusalCase('refusal-429', 'beyond a limit: 429', 'limited', { headers: HANDSHAKE, status: 429 }),
];

function refusalCase(name: string, title: string, kind: Kind, shot: Shot): Case {
  return {
    ...httpCase(name, kind, shot),
    // autocannon's latencies are wrong where every answer ends its connection.
    metrics: ['rate', 'cpuUs', 'busy'],
    group: 'Floods of refused handshakes',
    title,
    peers: ['Sallyport'],
  };
}

function httpCase(name: string, kind: Kind, shot: Shot): Omit<Case, 'group' | 'title' | 'peers'> {
  return {
    name,
    unit: 'request',
    metrics: ['rate', 'cpuUs', 'p99Us', 'busy'],
    targets: [],
    run(peer, tools) {
      const endpoint = peer.endpoint(kind);
      if (endpoint === undefined) throw new Error(`it has no ${kind}`);
      return shoot(peer, endpoint, shot, tools);
    },
  };
}

async function shoot(peer: RunningPeer, { port, path }: Endpoint, shot: Shot, tools: Tools): Promise<Sample> {
  const { bed, seconds, warmUp } = tools;
  const url = `http://127.0.0.1:${port}${path}`;
  const order: HttpOrder = { ...shot, url, connections: CONNECTIONS, seconds, warmUp, pid: peer.pid };
  const running = bed.processes.script(SCRIPT, [], bed.cores.load);
  try {
    running.child.send(order);
    const { sample, error } = await reply<Answer>(running);
    if (sample === undefined) throw new Error(error);
    return sample;
  } finally {
    await running.stop();
  }
}
