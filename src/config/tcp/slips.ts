/** What people write by mistake where an address or a rule belongs, and what was missing. Hints never repeat the text. Pure. */

const PORT_MISSING = 'a port is missing behind it';
const BRACKETS = 'an IPv6 address stands in brackets, as in [2001:db8::1]:5432';
/** Nothing but an IPv6 address, which may have a port behind it. */
const BARE_IPV6 = /^[\da-f]*:[\da-f]*:[\da-f:.]*(?:\/\d+)?(?::[^/]+)?$/i;

/** Longer than a name with its port may be: no slip, but something else. */
const MAX_TEXT = 300;

/** Of `host:port`. */
export function addressSlip(text: string): string | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const [, scheme] = /^([a-z][\w+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined && scheme !== 'unix')
    return 'write host:port alone, with nothing like tcp:// in front of it';
  if (BARE_IPV6.test(text)) return BRACKETS;
  return isPortless(text) ? `${PORT_MISSING}, as in :5900` : undefined;
}

/** Of a rule of `allow`. */
export function ruleSlip(text: string): string | undefined {
  if (text.length > MAX_TEXT) return undefined;
  if (BARE_IPV6.test(text)) return 'IPv6 stands in brackets, as in [2001:db8::]/32:22';
  if (isPortless(text)) return `${PORT_MISSING}, as in :443, :1024-65535, or :* for any`;
  const [, where = '', ports = ''] = /^(.+):([^:\]]*)$/.exec(text) ?? [];
  return portSlip(ports) ?? blockSlip(where) ?? globSlip(where);
}

function isPortless(text: string): boolean {
  return /^(?:[\w*.-]+|\[[\da-f:.]+\])(?:\/\d+)?:?$/i.test(text);
}

function portSlip(text: string): string | undefined {
  if (text === '*') return undefined;
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (to !== undefined && Number(from) > Number(to)) return 'its range of ports ends below where it begins';
  const isPort = (digits: string) => /^[1-9]\d{0,4}$/.test(digits) && Number(digits) <= 65_535;
  return from !== undefined && [from, to ?? from].every(isPort)
    ? undefined
    : 'ports are 1 to 65535: one of them, a range like 1024-65535, or * for any';
}

function blockSlip(text: string): string | undefined {
  const [, four, bits] = /^(?:([\d.]+)|\[[\da-f:.]+\])\/(\d+)$/i.exec(text) ?? [];
  const most = four === undefined ? 128 : 32;
  return bits !== undefined && Number(bits) > most
    ? `a block of IPv${four === undefined ? 6 : 4} has 0 to ${most} bits`
    : undefined;
}

function globSlip(text: string): string | undefined {
  const labels = text.split('.');
  if (labels.some((label) => label.length > 1 && label.includes('*')))
    return '* stands for one whole label, as in *.db.internal';
  return labels.length > 1 && labels.at(-1) === '*' ? '* cannot be the last label' : undefined;
}
