import { badRequest } from '../../http/fields.ts';

/** Those of a query that have one of these names. Throws BAD_REQUEST for others, and for one that comes twice. */
export function readParameters<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  for (const name of query.keys()) {
    if (!(names as readonly string[]).includes(name)) throw badRequest(`${name} is no parameter here`);
    if (query.getAll(name).length > 1) throw badRequest(`${name} comes twice`);
  }
  return Object.fromEntries(query) as Partial<Record<Name, string>>;
}
