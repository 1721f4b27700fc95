import { usesCookies } from './entry-rules.ts';
import type { Finding, Path } from './problem.ts';
import { reach } from './reach.ts';
import type { Config, RouteConfig } from './schema.ts';
import { servedKinds } from './upstream-kinds.ts';

/** What a careful operator wants to hear of pages: which may come, and by which names. */

const WIDE: Readonly<Record<string, string>> = {
  '*': 'any page on the web may connect, and acts from the address of its visitor',
  null: 'pages that hide where they come from may connect: any site can make one, with a sandboxed frame',
  'file://': 'any page on the disk of a visitor may connect',
};

/** Of one route. */
export function originWarnings(route: RouteConfig, path: Path): Finding[] {
  const { origins = [], auth } = route;
  const cookies = auth !== 'none' && usesCookies(auth);
  return origins.flatMap((origin, index) => {
    const message = WIDE[origin] ?? (cookies ? plainPage(origin) : undefined);
    return message === undefined ? [] : [{ path: [...path, 'origins', index], message }];
  });
}

function plainPage(origin: string): string | undefined {
  const host = URL.parse(origin.replace('*.', '').replace(/:\*$/, ''))?.hostname ?? '';
  if (!origin.startsWith('http:') || reach(host) === 'loopback') return undefined;
  return 'a page over plain http can be changed on the way, and acts with cookies';
}

/** A script sets no header on the handshake of a WebSocket; on plain requests it does, and a proxy may set one of a name of its own. */
export function headersOfPages({ auth, origins = [], upstream }: RouteConfig, path: Path): Finding[] {
  const isForPages = origins.length > 0 && servedKinds(upstream).every((kind) => kind === 'upgrade');
  if (!isForPages || auth === 'none' || !asksForToken(auth)) return [];
  if (!auth.token.every(({ from, name }) => from === 'header' && name === '')) return [];
  return [
    {
      path: [...path, 'auth', 'token'],
      message: 'no page gets in: scripts set no header on a WebSocket, and origins names pages',
      hint: 'add subprotocol, or cookie:NAME, as in token: [subprotocol, header]',
    },
  ];
}

function asksForToken({ issuer, keys }: Exclude<RouteConfig['auth'], 'none'>): boolean {
  return issuer.length > 0 || keys !== undefined;
}

/**
 * A page can let its own name point at a listener of its visitor's network (DNS rebinding), and then comes from the host it
 * asks. Told where nothing else stands in its way; plain text on a public address has a warning of its own.
 */
export function rebinding({ listeners, routes, trustedProxies }: Config): Finding[] {
  const isPlain = listeners.some(({ tls, host }) => tls === undefined && reach(host) === 'private');
  if (!isPlain || trustedProxies.length > 0) return [];
  return routes.flatMap(({ auth, match, origins }, index) =>
    auth !== 'none' || match.host !== undefined || origins !== undefined
      ? []
      : [
          {
            path: ['routes', index, 'match'],
            message:
              'a page that lets its own name point here (DNS rebinding) passes for a page of this host',
            hint: 'name match.host, or origins',
            atKey: true,
          },
        ],
  );
}

/** What becomes of people who are sent to `login`. */
export function loginWarnings(route: RouteConfig, path: Path): Finding[] {
  if (route.login === undefined || !servedKinds(route.upstream).includes('request')) return [];
  return [...noWayBack(route, path), ...lostReturn(route.login, route, path)];
}

/** A page that is opened brings none of these. */
const NEVER_OF_A_PAGE: readonly string[] = ['header', 'subprotocol', 'ticket'];

/** A page that is opened brings cookies, its query, and the password it was asked for: no header and no subprotocol. */
function noWayBack({ auth }: RouteConfig, path: Path): Finding[] {
  if (auth === 'none' || auth.external !== undefined) return [];
  if (!asksForToken(auth) || !auth.token.every(({ from }) => NEVER_OF_A_PAGE.includes(from))) return [];
  return [
    {
      path: [...path, 'login'],
      message:
        'nobody comes back with a token: a page that is opened brings no header and no subprotocol of its own',
      hint: 'add cookie:NAME to auth.token, or ask a service with auth.external',
    },
  ];
}

/** The return address is left out where nobody has named the host. */
function lostReturn(login: string, { match }: RouteConfig, path: Path): Finding[] {
  if (!login.includes('{return}'))
    return [
      {
        path: [...path, 'login'],
        message: 'people come back to wherever that page sends them, not to the page they wanted',
        hint: 'add {return}, as in /login?return={return}',
      },
    ];
  if (login.startsWith('/') || match.host !== undefined) return [];
  return [
    {
      path: [...path, 'login'],
      message: 'is told where to come back to on its own host only: a Host header alone is nobody’s word',
      hint: 'name this site in match.host',
    },
  ];
}
