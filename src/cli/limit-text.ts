import { DEFAULT_FRAGMENTS } from '../config/limits.ts';
import { isDefaultRequests } from '../config/request-limits.ts';
import type { LimitsConfig } from '../config/schema.ts';
import { formatByteRate, formatRate, formatSize } from '../config/units.ts';
import type { RequestKind } from '../http/request.ts';

/** The limits that requests of these kinds meet on a route, one after the other; `none` if there are none but those that hold anyway. */
export function limitsText(kinds: readonly RequestKind[], limits: LimitsConfig): string {
  const { upgrades = [], requests } = limits;
  const parts = [
    ...upgrades.map(({ rate, per }) => `upgrades ${formatRate(rate)} per ${per}`),
    ...(kinds.includes('request') ? requests.filter((limit) => !isDefaultRequests(limit)) : []).map(
      ({ max, per }) => `requests ${max} per ${per}`,
    ),
    ...(kinds.includes('upgrade') ? sessionLimits(limits) : []),
  ];
  return parts.join(', ') || 'none';
}

/** Plain requests are not met by these. Every route limits fragments, so only a number of its own is told. */
function sessionLimits(limits: LimitsConfig): string[] {
  const { connections = [], messages = [], bytes = [], messageSize, fragments } = limits;
  return [
    ...connections.map(({ max, per }) => `connections ${max} per ${per}`),
    ...messages.map(({ rate, per }) => `messages ${formatRate(rate)} per ${per}`),
    ...bytes.map(({ rate, per }) => `bytes ${formatByteRate(rate)} per ${per}`),
    ...(messageSize === undefined ? [] : [`messages up to ${formatSize(messageSize)}`]),
    ...(fragments === DEFAULT_FRAGMENTS ? [] : [`messages of up to ${fragments} fragments`]),
  ];
}
