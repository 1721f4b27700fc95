import { GatewayError } from '../../errors.ts';

/** Those of a query that have one of these names. Throws BAD_REQUEST for others, and for one that comes twice. */
export function readParameters<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  for (const name of query.keys()) {
    if (!(names as readonly string[]).includes(name)) throw refused(`${name} is no parameter here`, names);
    if (query.getAll(name).length > 1) throw refused(`${name} comes twice`, names);
  }
  return Object.fromEntries(query) as Partial<Record<Name, string>>;
}

function refused(detail: string, names: readonly string[]): GatewayError {
  const sentence =
    names.length === 0
      ? 'There are no parameters here.'
      : `The parameters here are ${names.join(', ')}, each once.`;
  return new GatewayError('BAD_REQUEST', { detail, sentence });
}
