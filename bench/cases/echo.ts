import type { EchoJob } from '../load/load.ts';
import type { Case, Kind, Target } from '../types.ts';

/** Messages there and back, over WebSocket and TCP upstreams. */

type Shape = Pick<EchoJob, 'connections' | 'inFlight' | 'size'>;

export const ONE: Shape = { connections: 64, inFlight: 1, size: 64 };
export const SIXTEEN: Shape = { connections: 64, inFlight: 16, size: 64 };
const MANY: Shape = { connections: 256, inFlight: 1, size: 1024 };
const LARGE: Shape = { connections: 16, inFlight: 1, size: 65_536 };

const PLAIN = ['nginx', 'HAProxy', 'http-proxy', 'httpxy', 'ws+ws', 'Sallyport'];
const TLS = ['nginx', 'HAProxy', 'http-proxy', 'ws+ws', 'Sallyport'];
const TCP = ['websockify', 'ws+net', 'Sallyport'];

/** CPU of a message as a ratio to a peer. */
function cpu(against: string, atMost: number, proud?: number): Target {
  return { metric: 'cpuUs', against, atMost, proud };
}

export const echoCases: Case[] = [
  echoCase('echo-64x1', '64 B, 1 in flight', ONE, PLAIN, [cpu('nginx', 1.45, 1.3), cpu('http-proxy', 0.9)]),
  echoCase('echo-64x16', '64 B, 16 in flight', SIXTEEN, PLAIN, [
    cpu('nginx', 1.3, 1.1),
    cpu('ws+ws', 1 / 12),
  ]),
  echoCase('echo-1k', '1 KiB, 256 connections', MANY, PLAIN, []),
  echoCase('echo-64k', '64 KiB', LARGE, PLAIN, [cpu('nginx', 0.35, 0.3), cpu('HAProxy', 0.95, 0.8)]),
  echoCase('echo-tls-64x1', '64 B, 1 in flight', ONE, TLS, [cpu('nginx', 1.6, 1.4)], true),
  echoCase('echo-tls-64x16', '64 B, 16 in flight', SIXTEEN, TLS, [cpu('nginx', 1.3, 1)], true),
  echoCase('echo-tls-1k', '1 KiB, 256 connections', MANY, TLS, [], true),
  echoCase('echo-tls-64k', '64 KiB', LARGE, TLS, [cpu('nginx', 0.5, 0.4)], true),
];

export const tcpCases: Case[] = [
  tcpCase('tcp-64x16', '64 B, 16 in flight', SIXTEEN, [
    { metric: 'rate', against: 'websockify', atLeast: 10, proud: 15 },
    cpu('ws+net', 0.2, 0.15),
  ]),
  tcpCase('tcp-64k', '64 KiB', LARGE, [{ metric: 'mbps', against: 'websockify', atLeast: 1.8 }]),
  v1Case('tcp-v1-64x16', '64 B, 16 in flight, sallyport.tcp.v1', SIXTEEN),
  v1Case('tcp-v1-64k', '64 KiB, sallyport.tcp.v1', LARGE),
];

function echoCase(
  name: string,
  title: string,
  shape: Shape,
  peers: string[],
  targets: Target[],
  tls = false,
): Case {
  return {
    ...echoed('websocket', shape, tls),
    name,
    title,
    peers,
    targets,
    group: tls ? 'WebSocket over TLS' : 'WebSocket',
    quick: shape.size === 64,
  };
}

function tcpCase(name: string, title: string, shape: Shape, targets: Target[]): Case {
  return {
    ...echoed('tcp', shape, false),
    name,
    title,
    peers: TCP,
    targets,
    group: 'WebSocket to TCP',
    quick: shape.size === 64,
  };
}

/** Nobody else speaks it. */
function v1Case(name: string, title: string, shape: Shape): Case {
  return { ...tcpCase(name, title, shape, []), ...echoed('tcp-v1', shape, false), peers: ['Sallyport'] };
}

/** How a kind is measured with messages of this shape. */
export function echoed(kind: Kind, shape: Shape, tls: boolean): Pick<Case, 'unit' | 'metrics' | 'run'> {
  return {
    unit: 'message',
    metrics: ['cpuUs', 'rate', 'mbps', 'p50Us', 'p99Us', 'busy'],
    run(peer, { load, seconds, warmUp }) {
      return load.echo(peer, { kind, tls }, { ...shape, seconds, warmUp });
    },
  };
}
