import type { Command } from 'commander';
import type { SessionFilter, SessionPage, SessionView } from '../../observe/admin/sessions.ts';
import type { Context } from '../context.ts';
import { table } from '../table.ts';
import { type AdminClient, openAdminClient } from './admin.ts';
import { age, size } from './amounts.ts';
import { addFilters, filterOf } from './filters.ts';
import { JSON_OPTION, type OutputOptions, warnOfSilent } from './output.ts';
import { printable } from './printable.ts';

/** As many as one answer has. */
const PAGE = '1000';

export interface SessionsOptions extends SessionFilter, OutputOptions {}

/** Gives `command` the options of `sallyport sessions`. */
export function sessionsCommand(command: Command): Command {
  return addFilters(
    command.description('list the open sessions of the gateway that runs with a configuration'),
  ).option(...JSON_OPTION);
}

/** `sallyport sessions FILE`: one line each. Throws CommandError where the gateway cannot be asked. */
export async function sessions(context: Context, file: string, options: SessionsOptions): Promise<void> {
  const admin = await openAdminClient(context, file, options.route);
  if (options.json) return writeDocument(context, all(context, admin, options));
  const rows: string[][] = [['SESSION', 'ROUTE', 'SUBJECT', 'ADDRESS', 'TARGET', 'AGE', 'UP', 'DOWN']];
  for await (const view of all(context, admin, options)) rows.push(rowOf(view));
  context.stdout.write(rows.length === 1 ? 'no open sessions\n' : table(rows));
}

/** As they come: there may be very many. */
async function writeDocument({ stdout }: Context, views: AsyncIterable<SessionView>): Promise<void> {
  let lead = '{"sessions":[';
  for await (const view of views) {
    stdout.write(`${lead}${JSON.stringify(view)}`);
    lead = ',\n';
  }
  stdout.write(lead === ',\n' ? ']}\n' : `${lead}]}\n`);
}

async function* all(
  context: Context,
  admin: AdminClient,
  options: SessionsOptions,
): AsyncGenerator<SessionView> {
  let after: number | undefined = 0;
  while (after !== undefined) {
    const query = { ...filterOf(options), limit: PAGE, after: String(after) };
    const page = (await admin.ask('GET', '/sessions', { query })) as SessionPage;
    warnOfSilent(context, page.silent);
    yield* page.sessions;
    after = page.next;
  }
}

function rowOf({ id, route, subject = '', address, target, ageMs, up, down }: SessionView): string[] {
  const who = [id, route, subject, address, target].map(printable);
  return [...who, age(ageMs), size(up.bytes), size(down.bytes)];
}
