import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reply } from '../measure/processes.ts';
import type { ProxyOptions, ProxyPorts } from '../services/proxies.ts';
import type { Bed, Kind, Peer } from '../types.ts';
import { byPath } from './common.ts';

/** What can be had from npm: each a script of `services/` on a Node of its own. */

const PROXY = { websocket: '/echo', open: '/echo', source: '/source', http: '/', kept: '/kept' };

export const nodePeers: Peer[] = [
  bareNode(),
  nodePeer('http-proxy', 'http-proxy', PROXY),
  nodePeer('httpxy', 'httpxy', PROXY),
  nodePeer('ws+ws', 'ws', { websocket: '/echo', open: '/echo', source: '/source' }),
  nodePeer('ws+net', 'ws', { tcp: '/' }),
  nodePeer('ws+fetch', 'ws', { post: '/' }),
];

/** Ten lines of Node without any library: what every other Node proxy has to spend. */
function bareNode(): Peer {
  const peer = scriptPeer('node:http', 'node-http', { kept: '/kept' });
  return { ...peer, version: () => process.versions.node, missing: () => undefined };
}

function nodePeer(name: string, library: string, paths: Partial<Record<Kind, string>>): Peer {
  const manifest = new URL(`../../node_modules/${library}/package.json`, import.meta.url);
  function version(): string {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  }
  function missing(): string | undefined {
    try {
      return void version();
    } catch {
      return 'npm ci';
    }
  }
  return { ...scriptPeer(name, name.replace('+', '-'), paths), version, missing };
}

function scriptPeer(
  name: string,
  file: string,
  paths: Partial<Record<Kind, string>>,
): Pick<Peer, 'name' | 'start'> {
  const script = new URL(`../services/${file}.ts`, import.meta.url);
  return {
    name,
    async start(bed) {
      const output = join(bed.directory, `${file}.out`);
      const running = bed.processes.script(script, [JSON.stringify(options(bed))], bed.cores.proxy, output);
      const ports = await reply<ProxyPorts>(running);
      return { name, pid: running.pid, endpoint: byPath(ports, paths), stop: running.stop };
    },
  };
}

function options({ ports, certificate }: Bed): ProxyOptions {
  const { source, http } = ports;
  const echoes = {
    echoWebSocket: ports['echo-websocket'],
    echoTcp: ports['echo-tcp'],
    echoHttp: ports['echo-http'],
  };
  return { ...echoes, source, http, ...certificate };
}
