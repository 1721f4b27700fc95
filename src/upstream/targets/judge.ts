import ipaddr from 'ipaddr.js';
import type { AllowRule } from '../../config/tcp/allow.ts';
import type { AddressBlock } from '../../http/address.ts';
import { facesOf, isWithin, liesWithin, specialRange } from '../../http/special-ranges.ts';
import type { AskedTarget } from './asked.ts';
import type { IsOwn } from './own-addresses.ts';

/** Who may be dialled: rules on names and addresses as they are asked for, and on the addresses that names turn out to have. Pure. */

/**
 * The first rule that lets a client ask for a target; undefined if none does. A name needs a rule of names, an address one of
 * addresses: no rule changes what another means.
 */
export function ruleFor(rules: readonly AllowRule[], asked: AskedTarget): AllowRule | undefined {
  return rules.find((rule) => hasPort(rule, asked) && meets(rule, asked));
}

/** Why no rule lets a client ask for a target, for the log. */
export function misfit(rules: readonly AllowRule[], asked: AskedTarget): string {
  const near = rules.find((rule) => meets(rule, asked));
  if (near !== undefined) return `${near.text} is for other ports`;
  const kind = asked.isAddress ? 'address' : 'host';
  if (rules.some((rule) => rule.kind === kind)) return 'no rule of allow fits it';
  return asked.isAddress
    ? 'it is an address, and allow has rules of names only'
    : 'it is a name, and allow has rules of addresses only';
}

function hasPort({ ports }: AllowRule, { port }: AskedTarget): boolean {
  return port >= ports.from && port <= ports.to;
}

function meets(rule: AllowRule, { host, isAddress }: AskedTarget): boolean {
  if (rule.kind === 'host') return !isAddress && fitsGlob(rule.labels, host.split('.'));
  return isAddress && isWithin(unmapped(host), unmappedBlock(rule.block));
}

function fitsGlob(labels: readonly string[], wanted: readonly string[]): boolean {
  return (
    labels.length === wanted.length && labels.every((label, at) => label === '*' || label === wanted[at])
  );
}

/** An address that may be dialled, in the one spelling; or why it may not, for the log. */
export type Judgement = { readonly address: string } | { readonly fault: string };

/** Judges one of the addresses that a target has, by the rule that let it be asked for. */
export function judge(rule: AllowRule, text: string, isOwn: IsOwn = () => false): Judgement {
  if (!ipaddr.isValid(text) || text.includes('%')) return { fault: 'an address with a zone, or none at all' };
  const faces = facesOf(ipaddr.parse(text));
  const address = unmapped(text).toString();
  const faults = faces.map((face) => faultOf(rule, face) ?? ownFault(rule, face, isOwn));
  const fault = faults.find((found) => found !== undefined);
  return fault === undefined ? { address } : { fault: `${address} ${fault}` };
}

/** Blocks of a rule open what they name: a special range only where they lie within it, so that 0.0.0.0/0 opens none. */
function faultOf(rule: AllowRule, face: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  const special = specialRange(face);
  const what = `is ${special === undefined ? 'public' : `${special.name} (${face})`}`;
  if (rule.kind === 'host' && rule.resolvesTo === undefined)
    return special === undefined ? undefined : `${what}, and the rule has no resolvesTo`;
  const naming = blocksOf(rule)
    .map(unmappedBlock)
    .filter((block) => isWithin(face, block));
  if (special === undefined) {
    // What a translator is told is judged by the public address within.
    return naming.length > 0 || rule.kind === 'address'
      ? undefined
      : `${what}, and resolvesTo does not name it`;
  }
  const isNamed = naming.some((block) => liesWithin(block, special));
  return isNamed ? undefined : `${what}, and no block within that range names it`;
}

/** A public address of this machine is opened by nothing but that address itself: services may listen there that others are kept from. */
function ownFault(rule: AllowRule, face: ipaddr.IPv4 | ipaddr.IPv6, isOwn: IsOwn): string | undefined {
  if (specialRange(face) !== undefined || !isOwn(face.toString())) return undefined;
  const isAlone = ([network, bits]: AddressBlock) =>
    bits === network.toByteArray().length * 8 && isWithin(face, [network, bits]);
  return blocksOf(rule).map(unmappedBlock).some(isAlone)
    ? undefined
    : 'is an address of this machine, and no rule names it alone';
}

function unmapped(text: string): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.process(text);
}

/** The addresses that a rule names. */
function blocksOf(rule: AllowRule): readonly AddressBlock[] {
  return rule.kind === 'address' ? [rule.block] : (rule.resolvesTo ?? []);
}

/** A block of IPv4-mapped addresses means those of IPv4. */
function unmappedBlock([network, bits]: AddressBlock): AddressBlock {
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [network.toIPv4Address(), bits - 96] : [network, bits];
}
