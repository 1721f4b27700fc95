import type { AddressBlock } from '../../http/address.ts';
import { specialWithin } from '../../http/special-ranges.ts';
import { MAX_MESSAGE_BYTES } from '../../tcp-protocol/types.ts';
import type { Finding, Path } from '../problem.ts';
import type { RouteConfig } from '../schema.ts';
import type { AllowRule } from './allow.ts';
import { isDynamic } from './targets.ts';

/** What nobody proves, everybody may. */
export function openTunnel({ upstream: { tcp } }: RouteConfig, path: Path): Finding[] {
  if (tcp === undefined) return [];
  const what = isDynamic(tcp) ? 'the TCP services that it leads to' : 'this TCP service';
  const message = `anybody who reaches the gateway can talk to ${what}`;
  return [{ path: [...path, 'auth'], message }];
}

/** Clients of sallyport.tcp.v1 send as much as that allows at a time. */
export function smallMessages(
  { limits, upstream: { tcp, tcpProtocol } }: RouteConfig,
  path: Path,
): Finding[] {
  const isSpoken = tcp !== undefined && tcpProtocol === undefined;
  if (!isSpoken || (limits.messageSize ?? Infinity) >= MAX_MESSAGE_BYTES) return [];
  const message =
    'is less than the messages of sallyport.tcp.v1 may have: our own clients are cut off with 1009';
  const hint = `say 65KiB at least, or tcpProtocol: off`;
  return [{ path: [...path, 'limits', 'messageSize'], message, hint }];
}

/** Blocks that seem to open private addresses, and do not: a special range is opened by what lies within it alone. */
export function wideBlocks({ upstream: { allow = [] } }: RouteConfig, path: Path): Finding[] {
  return allow.flatMap((rule, index) =>
    blocksOf(rule).flatMap((block) => {
      const inside = specialWithin(block);
      if (inside === undefined) return [];
      const message = `${block[0]}/${block[1]} opens public addresses only: ${inside} and the like within it stay closed`;
      const hint = `name what is meant of them by blocks of their own, such as ${inside}`;
      return [{ path: [...path, 'upstream', 'allow', index], message, hint }];
    }),
  );
}

/** Names that stand for private services, or for this machine, everywhere (RFC 6761, RFC 6762, RFC 8375) or by habit. */
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|private|corp|lan|home|home\.arpa)$/;

/** Rules of names that seem to open private services, and do not. */
export function placelessNames({ upstream: { allow = [] } }: RouteConfig, path: Path): Finding[] {
  return allow.flatMap((rule, index) => {
    if (rule.kind !== 'host' || rule.resolvesTo !== undefined) return [];
    const name = rule.labels.join('.');
    const isLone = rule.labels.length === 1 && name !== '*';
    if (!isLone && !PRIVATE_NAME.test(name)) return [];
    const message = 'opens names that lead to public addresses only, and such a name leads to a private one';
    const block = name === 'localhost' ? '127.0.0.0/8' : '10.0.0.0/8';
    const hint = `say where it leads, as in { host: "${rule.text}", resolvesTo: ${block} }`;
    return [{ path: [...path, 'upstream', 'allow', index], message, hint }];
  });
}

function blocksOf(rule: AllowRule): readonly AddressBlock[] {
  return rule.kind === 'address' ? [rule.block] : (rule.resolvesTo ?? []);
}
