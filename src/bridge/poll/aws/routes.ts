import type { AwsConfig } from '../../../config/poll/index.ts';
import { compilePointer, parseJson, scalarOf } from '../json.ts';
import type { Message } from '../profile.ts';

const DEFAULT = '$default';

/** Compiles which route a message chooses: by what stands in it, if there is a route of that name. */
export function compileRoutes(routes: AwsConfig['routes']): (message: Message) => string {
  if (routes === undefined) return () => DEFAULT;
  const find = compilePointer(routes.from);
  const keys = new Set(routes.keys);
  return function routeOf({ data, binary }) {
    const key = binary ? undefined : scalarOf(find(jsonOrNothing(data.toString())));
    return key !== undefined && keys.has(key) ? key : DEFAULT;
  };
}

function jsonOrNothing(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
