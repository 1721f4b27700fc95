import ipaddr from 'ipaddr.js';

/** Who reaches an address. A name other than `localhost` could be anywhere. */
export function reach(host: string): 'loopback' | 'private' | 'public' {
  const bare = host.replace(/^\[|\]$/g, '');
  if (bare === 'localhost' || bare.endsWith('.localhost')) return 'loopback';
  if (!ipaddr.isValid(bare)) return 'public';
  const range = ipaddr.process(bare).range();
  if (range === 'loopback') return 'loopback';
  return ['private', 'uniqueLocal', 'linkLocal', 'carrierGradeNat'].includes(range) ? 'private' : 'public';
}
