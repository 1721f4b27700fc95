import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { AddressBlock } from '../../http/address.ts';
import { cidr, word } from '../fields.ts';
import { ruleSlip } from './slips.ts';

/** The keys `allow` and `allowClaim` of an upstream: which targets clients may name. */

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Names that fit a glob, at these ports. */
export interface HostRule {
  readonly kind: 'host';
  /** As written. */
  readonly text: string;
  /** In lower case and ASCII; `*` stands for any one. */
  readonly labels: readonly string[];
  readonly ports: PortRange;
  /** Where the names may lead; undefined: to public addresses. */
  readonly resolvesTo?: readonly AddressBlock[] | undefined;
}

/** Addresses in a block, at these ports. */
export interface AddressRule {
  readonly kind: 'address';
  readonly text: string;
  readonly block: AddressBlock;
  readonly ports: PortRange;
}

export type AllowRule = HostRule | AddressRule;

const FORM = 'a rule like *.db.internal:5432, 10.0.0.0/8:1024-65535, [2001:db8::]/32:22 or host:*';

/** Reads a rule; undefined if it is none. */
export function readRule(text: string): AllowRule | undefined {
  const [, where = '', written = ''] = /^(.+):([^:\]]+)$/.exec(text) ?? [];
  const ports = readPorts(written);
  if (ports === undefined) return undefined;
  const block = readBlock(where);
  if (block !== undefined) return { kind: 'address', text, block, ports };
  const labels = readGlob(where);
  return labels === undefined ? undefined : { kind: 'host', text, labels, ports };
}

function readPorts(text: string): PortRange | undefined {
  if (text === '*') return { from: 1, to: 65_535 };
  const [, first, last = first] = /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  return first !== undefined && from <= to && to <= 65_535 ? { from, to } : undefined;
}

/** `10.0.0.0/8`, `10.0.0.7`, `[2001:db8::]/32` or `[::1]`. */
function readBlock(text: string): AddressBlock | undefined {
  const [, six, four, bits] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  if (six !== undefined ? !ipaddr.IPv6.isValid(six) : !ipaddr.IPv4.isValidFourPartDecimal(four ?? ''))
    return undefined;
  const most = six === undefined ? 32 : 128;
  const prefix = Number(bits ?? most);
  return prefix <= most ? [ipaddr.parse(six ?? (four as string)), prefix] : undefined;
}

/** As the URL standard knows them (WHATWG URL, "ends in a number"). */
const NUMBER = /^(?:\d+|0x[\da-f]*)$/;
const LABEL = /^(?:\*|[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)$/;

/** The labels of a name; a `*` stands for a whole one, but for none that ends it. What ends in a number is an address to some. */
function readGlob(text: string): string[] | undefined {
  const labels = text.replace(/\.$/, '').split('.').map(asciiLabel);
  const last = labels.at(-1) ?? '';
  const isName = !NUMBER.test(last) && (last !== '*' || labels.length === 1);
  return isName && labels.every((label) => LABEL.test(label)) && text.length <= 253 ? labels : undefined;
}

function asciiLabel(label: string): string {
  // By itself a number would be taken for an address.
  return /[^ -~]/.test(label) ? domainToASCII(label) : label.toLowerCase();
}

const rule = word<AllowRule>(FORM, readRule, { hint: ruleSlip });

const hostRule = word<HostRule>('a rule of names like *.db.internal:5432', readHostRule, { hint: ruleSlip });

function readHostRule(text: string): HostRule | undefined {
  const read = readRule(text);
  return read?.kind === 'host' ? read : undefined;
}

/** A block is a list itself. */
const blocks = z.union([cidr.transform((block) => [block]), z.array(cidr).min(1)]);

const namesLeading = z
  .strictObject({
    host: hostRule.describe('The names, with a port, a range of ports or * for any'),
    resolvesTo: blocks.describe('Where all of their addresses must lie, private ones among them'),
  })
  .transform(({ host, resolvesTo }): AllowRule => ({ ...host, resolvesTo }));

/** The alternatives side by side, so that an error can tell which one was meant. */
const rules = z
  .union([rule, namesLeading, z.array(z.union([rule, namesLeading])).min(1)])
  .transform((value) => (Array.isArray(value) ? value : [value]));

/** The keys of an upstream that say which targets its clients may name. */
export const allowFields = {
  allow: rules
    .optional()
    .describe(
      'tcp with a {placeholder} and no targets: what clients may name. Names with one * a label, which lead to public addresses only unless resolvesTo says where to; or addresses and blocks; each with a port, a range of ports or *; absent: nothing',
    ),
  allowClaim: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A claim, a text or a list of texts of the same form as allow, that the target must fit as well: clients without it are refused. /a/b is b within a; absent: allow alone counts',
    ),
};

export type AllowConfig = readonly AllowRule[];
