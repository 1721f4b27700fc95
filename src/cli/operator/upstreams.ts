import type { Command } from 'commander';
import type { UpstreamList, UpstreamView } from '../../observe/admin/upstreams.ts';
import type { Context } from '../context.ts';
import { table } from '../table.ts';
import { openAdminClient } from './admin.ts';
import { age } from './amounts.ts';
import { JSON_OPTION, type OutputOptions, tell, warnOfSilent } from './output.ts';
import { printable } from './printable.ts';

export interface UpstreamsOptions extends OutputOptions {
  readonly route?: string;
}

/** Gives `command` the options of `sallyport upstreams`. */
export function upstreamsCommand(command: Command): Command {
  return command
    .description(
      'list where the routes of the gateway that runs with a configuration lead to, and how that does',
    )
    .option('--route <route>', 'of this route')
    .option(...JSON_OPTION);
}

/** `sallyport upstreams FILE`: one line each. Throws CommandError where the gateway cannot be asked. */
export async function upstreams(context: Context, file: string, options: UpstreamsOptions): Promise<void> {
  const { route } = options;
  const admin = await openAdminClient(context, file, route);
  const query: Record<string, string> = route === undefined ? {} : { route };
  const found = (await admin.ask('GET', '/upstreams', { query })) as UpstreamList;
  warnOfSilent(context, found.silent);
  tell(context, options, found, textOf(found));
}

const HEAD = ['ROUTE', 'BY', 'TARGET', 'STATE', 'IN FLIGHT', 'SESSIONS', 'WHY'];

function textOf({ upstreams, more }: UpstreamList): string {
  if (upstreams.length === 0) return 'no upstreams are known';
  const rest = more === 0 ? '' : `and ${more} more: choose a --route\n`;
  return `${table([HEAD, ...upstreams.map(rowOf)])}${rest}`.trimEnd();
}

function rowOf(view: UpstreamView): string[] {
  const { route, kinds, target, state, inFlight, sessions } = view;
  const where = [route, kinds.join(', '), target, state].map(printable);
  return [...where, String(inFlight), String(sessions), printable(reasonOf(view))];
}

/** `dial, for 12s: UPSTREAM_REFUSED`. */
function reasonOf({ since, by, error = '' }: UpstreamView): string {
  if (since === undefined || by === undefined) return error;
  return `${by}, for ${age(Date.now() - Date.parse(since))}: ${error}`;
}
