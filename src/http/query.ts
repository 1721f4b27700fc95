/** Queries (RFC 3986 §3.4) as lists of parameters, without the `?`. What is not asked for stays byte for byte. Pure. */

/** A query without the parameters that `isUnwanted`. Undefined if nothing is left. */
export function withoutParameters(
  query: string | undefined,
  isUnwanted: (parameter: URLSearchParams) => boolean,
): string | undefined {
  const kept = query?.split('&').filter((part) => !isUnwanted(new URLSearchParams(part))) ?? [];
  return kept.length === 0 ? undefined : kept.join('&');
}

/** A query with these behind it. */
export function withParameters(query: string | undefined, more: string): string | undefined {
  if (more === '') return query;
  return query ? `${query}&${more}` : more;
}

/** Adds one parameter, or a whole query, to a path that may have a query already. */
export function withQuery(path: string, query: string): string {
  if (query === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

/** A query without every parameter of that name, however it is escaped. Undefined if nothing is left. */
export function removeParameter(query: string | undefined, name: string): string | undefined {
  return withoutParameters(query, (parameter) => parameter.has(name));
}

/** A URL as it may be shown: of its query, which may carry a key, there is only told that there is one. */
export function shownUrl(url: string): string {
  return url.replace(/\?.*$/s, '?…');
}
