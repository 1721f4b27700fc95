import type { Finding, Path } from './problem.ts';
import type { AuthConfig } from './schema.ts';
import { valueAt } from './tree.ts';

/** What limits count by, held against the rest of their route: whether that tells clients apart at all. */

/** The keys of limits that say `per`. */
const COUNTING = ['upgrades', 'connections', 'requests', 'messages', 'bytes'] as const;

interface WrittenPer {
  readonly path: Path;
  readonly per: string;
}

/** Problems: limits that count by what the route never learns of its clients. Everything of `tree` may have any shape. */
export function checkLimits(tree: unknown): Finding[] {
  const routes = valueAt(tree, ['routes']);
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown, index) =>
    writtenPers(route, ['routes', index]).flatMap((written) => [
      ...withoutProof(written, route),
      ...withoutOrigins(written, valueAt(route, ['origins'])),
    ]),
  );
}

/** Warnings: limits of the route at `path`, which asks for no proof, that anybody can use up for others. */
export function openLimits(tree: unknown, path: Path): Finding[] {
  return writtenPers(valueAt(tree, path), path)
    .filter(({ per }) => per === 'origin')
    .map((written) => ({
      path: written.path,
      message:
        'with auth: none any program can claim any Origin, and use up what the pages of that origin may do',
      hint: 'count per address instead, or ask for a proof with auth',
    }));
}

/** Warnings: limits per subject of the route at `path`, whose one proof is a service that names nobody. */
export function namelessLimits(tree: unknown, path: Path, auth: AuthConfig): Finding[] {
  const { issuer, keys, certificate, external } = auth;
  const isNamed = issuer.length > 0 || keys || certificate || external?.subject;
  if (isNamed) return [];
  return writtenPers(valueAt(tree, path), path)
    .filter(({ per }) => per === 'subject')
    .map((written) => ({
      path: written.path,
      message: 'every client is the same subject: the service that is asked names nobody',
      hint: 'name the header that does under auth.external.subject',
    }));
}

/** Each `per` of a route, in the order of the file. */
function writtenPers(route: unknown, base: Path): WrittenPer[] {
  return COUNTING.flatMap((key) => {
    const path = ['limits', key];
    const value = valueAt(route, path);
    const items = Array.isArray(value) ? value.map((_, index) => [...path, index]) : [path];
    return items.flatMap((item) => {
      const per = valueAt(route, [...item, 'per']);
      return typeof per === 'string' ? [{ path: [...base, ...item, 'per'], per }] : [];
    });
  });
}

function withoutProof({ path, per }: WrittenPer, route: unknown): Finding[] {
  const what = /^claim:./.test(per) ? 'are no claims' : per === 'subject' ? 'is no subject' : undefined;
  if (what === undefined || valueAt(route, ['auth']) !== 'none') return [];
  return [{ path, message: `there ${what} on a route with auth: none`, hint: 'count per address' }];
}

/** What lets everybody in counts everybody as one, or as many as they like. */
function withoutOrigins({ path, per }: WrittenPer, origins: unknown): Finding[] {
  if (per !== 'origin') return [];
  const hint = 'name the pages under origins, as in https://app.example.com, or count per address';
  if (origins === undefined)
    return [{ path, message: 'counts by the entries of origins, and this route has none', hint }];
  if (!Array.isArray(origins) || !origins.includes('*')) return [];
  return [{ path, message: 'counts by the entries of origins, and "*" among them means every page', hint }];
}
