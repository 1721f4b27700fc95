import { spawnSync } from 'node:child_process';
import { TCP_PROTOCOL } from '../../src/tcp-protocol/types.ts';
import type { Endpoint, Kind } from '../types.ts';

/** Whether a command is there and runs with these arguments. */
export function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).error === undefined;
}

/** The `endpoint` of a peer that has a path for each kind it knows, on a plain port and on a TLS port. */
export function byPath(
  ports: { plain: number; tls?: number },
  paths: Partial<Record<Kind, string>>,
  protocol?: string,
) {
  return function endpoint(kind: Kind, tls = false): Endpoint | undefined {
    const path = paths[kind];
    const port = tls ? ports.tls : ports.plain;
    if (path === undefined || port === undefined) return undefined;
    const spoken = kind === 'tcp-v1' ? TCP_PROTOCOL : kind === 'tcp' ? protocol : undefined;
    return { port, path, tls, protocol: spoken };
  };
}
