import { type Finding, formatPath } from './problem.ts';
import { suggestion } from './suggest.ts';
import { isTree, type Place, places, valueAt } from './tree.ts';

/**
 * What no single entry can know: names that are used but not given, and what is given twice. Works on the data as
 * it came, so that these show up together with errors of shape.
 */
export function checkNames(tree: unknown): Finding[] {
  return [
    ...unknownIssuers(tree),
    ...ambiguousIssuers(tree),
    ...repeatedRoutes(tree),
    ...takenPorts(tree),
    ...nobodysHeaders(tree),
  ];
}

function unknownIssuers(tree: unknown): Finding[] {
  const known = places(tree, 'issuers.*').map(({ path }) => String(path[1]));
  return [...places(tree, 'routes.*.auth.issuer'), ...places(tree, 'routes.*.auth.issuer.*')]
    .filter(({ value }) => typeof value === 'string' && !known.includes(value))
    .map(({ path, value }) => ({
      path,
      message: `there is no issuer ${JSON.stringify(value)} under issuers`,
      hint: known.length === 0 ? undefined : suggestion(String(value), known),
    }));
}

/** A token names its issuer by `iss` alone, so on one route no two may share it. */
function ambiguousIssuers(tree: unknown): Finding[] {
  return places(tree, 'routes.*.auth.issuer').flatMap(({ path }) => {
    const named = places(valueAt(tree, path), '*').map((place) => ({
      ...place,
      path: [...path, ...place.path],
    }));
    const urls = named.map((place) => ({
      ...place,
      value: valueAt(tree, ['issuers', String(place.value), 'issuer']),
    }));
    return repeats(urls.filter(({ value }) => value !== undefined)).map(([again, first]) => ({
      path: again.path,
      message: `has the same \`issuer\` as ${formatPath(first.path)}, so nobody can tell their tokens apart`,
    }));
  });
}

function repeatedRoutes(tree: unknown): Finding[] {
  return repeats(places(tree, 'routes.*.name')).map(([again, first]) => ({
    path: again.path,
    message: `the name ${JSON.stringify(again.value)} is taken by ${formatPath(first.path.slice(0, -1))}`,
  }));
}

/** Pairs every place with the first one of equal value before it. */
function repeats(found: readonly Place[]): [again: Place, first: Place][] {
  return found.flatMap((place, index) => {
    const first = found.find(({ value }) => value === place.value);
    return first === undefined || found.indexOf(first) === index ? [] : [[place, first]];
  });
}

function takenPorts(tree: unknown): Finding[] {
  const admin = places(tree, 'admin').map((place) => endpoint(place, '127.0.0.1'));
  const all = [...places(tree, 'listeners.*').map((place) => endpoint(place, '::')), ...admin];
  return all.flatMap((later, index) => {
    const earlier = all.slice(0, index).find((other) => collide(other, later));
    if (earlier === undefined) return [];
    const message = `${later.host} port ${later.port} is taken by ${formatPath(earlier.path)}`;
    return [{ path: [...later.path, 'port'], message }];
  });
}

function endpoint({ path, value }: Place, anyHost: string) {
  const { host = anyHost, port } = isTree(value) ? value : {};
  return { path, host: String(host), port };
}

/** "::" listens on every address, "0.0.0.0" on every IPv4 one; port 0 is a different port each time. */
function collide(one: { host: string; port: unknown }, other: { host: string; port: unknown }): boolean {
  if (one.port !== other.port || !one.port) return false;
  const hosts = [one.host, other.host];
  if (one.host === other.host || hosts.includes('::')) return true;
  return hosts.includes('0.0.0.0') && hosts.every((host) => !host.includes(':'));
}

/** PROXY headers are read of trusted proxies only. */
function nobodysHeaders(tree: unknown): Finding[] {
  if (places(tree, 'trustedProxies.*').length > 0) return [];
  return places(tree, 'listeners.*.proxyProtocol').map(({ path }) => ({
    path,
    message: 'has no effect: name the proxies that send PROXY headers in trustedProxies',
  }));
}
