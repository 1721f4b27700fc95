import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import ipaddr from 'ipaddr.js';
import { isLoopback, matchAddress } from '../../http/address.ts';
import { CommandError, type Context, EXIT } from '../context.ts';

/** Which HTTP proxy lies between this machine and a gateway. Pure. */

/** The proxy for a URL that begins with `wss` or `ws`; undefined: none. Throws CommandError where the environment names one that cannot be used. */
export type ProxyFor = (url: string) => URL | undefined;

/** The one of the option for all URLs, else what the environment says of each: HTTPS_PROXY or HTTP_PROXY, ALL_PROXY, and where not, NO_PROXY. */
export function proxyChooser(option: string | undefined, env: Context['env']): ProxyFor {
  if (option !== undefined) return () => new URL(option);
  return function proxyFor(text) {
    const url = new URL(text);
    const host = bare(url.hostname);
    const port = Number(url.port) || (url.protocol === 'wss:' ? 443 : 80);
    const exempt = variable('NO_PROXY')?.value.split(/[\s,]+/) ?? [];
    if (isLoopback(host) || exempt.some((entry) => covers(entry, host, port))) return undefined;
    const found = variable(url.protocol === 'wss:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') ?? variable('ALL_PROXY');
    return found && proxyOf(found);
  };

  function variable(upper: string): Variable | undefined {
    const name = [upper.toLowerCase(), upper].find((each) => env[each]);
    return name === undefined ? undefined : { name, value: env[name] as string };
  }
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

/** Reads the value of `--proxy`. Throws InvalidArgumentError. */
export function readProxy(text: string): string {
  if (parseProxy(text) === undefined)
    throw new InvalidArgumentError('Expected the URL of an HTTP proxy, e.g. http://proxy.example:3128.');
  return text;
}

/** A proxy without what it is to be told of us. */
export function proxyText({ host }: URL): string {
  return `the proxy ${host}`;
}

function proxyOf({ name, value }: Variable): URL {
  // As curl reads it.
  const url = parseProxy(value.includes('://') ? value : `http://${value}`);
  if (url !== undefined) return url;
  const remedy = 'write http://HOST:PORT or https://HOST:PORT, or the name of the gateway in NO_PROXY';
  // Not its value: there may be a password in it.
  throw new CommandError(`${name} is not the URL of an HTTP proxy: ${remedy}`, EXIT.usage);
}

function parseProxy(text: string): URL | undefined {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Whether an entry of NO_PROXY is about a host: `*`, a name with all below it, an address or a block of them; with a port, that one only. */
function covers(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  const [, name = entry, only] = isIP(entry) ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? []);
  if (only !== undefined && Number(only) !== port) return false;
  const place = bare(name)
    .replace(/^\*?\./, '')
    .toLowerCase();
  if (isIP(host) !== 0) return matchAddress([blockOf(place)].filter((block) => block !== undefined))(host);
  return place !== '' && (host === place || host.endsWith(`.${place}`));
}

function blockOf(text: string): ReturnType<typeof ipaddr.parseCIDR> | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  return isIP(text) === 0 ? undefined : ipaddr.parseCIDR(`${text}/${text.includes(':') ? 128 : 32}`);
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
