import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Services that exist, as stubs written to their documents, behind the examples that say how to reach them. */

/** The `poll` of an example's route, but with a target of ours and variables that hold their names, and what else its route needs. */
export function exampleFeed(
  name: string,
  target: string,
  index = 0,
): { poll: object; route: { match: object } } {
  const file = new URL(`../../config/examples/${name}.yaml`, import.meta.url);
  const text = readFileSync(file, 'utf8').replace(/\$\{(\w+)\}/g, '$1');
  const { match, upstream } = parse(text).routes[index];
  return { poll: { ...upstream.poll, target }, route: { match } };
}

/** The parameters of a request's query. */
export function queryOf({ url }: { readonly url: string }): URLSearchParams {
  return new URL(url, 'http://x').searchParams;
}
