import type { ServiceAddress } from '../config/fields.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import type { AllowRule } from '../config/tcp/allow.ts';
import type { TableConfig } from '../config/tcp/table.ts';
import { type AddressTarget, isDynamic } from '../config/tcp/targets.ts';
import { targetFields } from '../config/tcp/template.ts';

/** Where a TCP upstream leads to, for people: what there is, or what clients may name, and by what. */

export function tcpText({ tcp, targets, allow = [], allowClaim }: UpstreamConfig): string {
  if (tcp === undefined) return '';
  if (!isDynamic(tcp)) return tcp.map(addressText).join(', ');
  if (targets !== undefined) return `${tcp.template} in ${tableText(targets, tcp.template)}`;
  const claim = allowClaim === undefined ? '' : ` and by claim ${allowClaim}`;
  return `${tcp.template} where allowed: ${allow.map(ruleText).join(', ')}${claim}`;
}

/** Names that come in a query may be secrets, and are shown to nobody. */
function tableText(targets: TableConfig, template: string): string {
  if ('file' in targets) return targets.file;
  const entries = Object.entries(targets.entries);
  const isSecret = targetFields(template).some(({ from }) => from === 'query');
  const shown = entries
    .slice(0, MAX_SHOWN)
    .map(([name, where]) => (isSecret ? placeText(where) : `${name} (${placeText(where)})`));
  const more = entries.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const MAX_SHOWN = 5;

function ruleText(rule: AllowRule): string {
  if (rule.kind === 'address' || rule.resolvesTo === undefined) return rule.text;
  return `${rule.text} in ${rule.resolvesTo.map(([network, bits]) => `${network}/${bits}`).join(' or ')}`;
}

function addressText({ weight, ...where }: AddressTarget): string {
  return weighed(placeText(where), weight);
}

/** A target, and its weight if it has one. */
export function weighed(target: string, weight: number | undefined): string {
  return weight === undefined ? target : `${target} (${weight})`;
}

/** Where a service listens. */
export function placeText(where: ServiceAddress): string {
  return 'host' in where ? endpoint(where.host, where.port) : `unix:${where.socketPath}`;
}

/** A host with a port, IPv6 in brackets. */
export function endpoint(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 'any' : port}`;
}
