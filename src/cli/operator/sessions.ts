import type { Command } from 'commander';
import type { SessionFilter, SessionPage, SessionView } from '../../observe/admin/sessions.ts';
import type { Context } from '../context.ts';
import { table } from '../table.ts';
import { type AdminClient, openAdminClient } from './admin.ts';
import { addFilters, filterOf } from './filters.ts';
import { printable } from './printable.ts';

/** As many as one answer has. */
const PAGE = '1000';

export interface SessionsOptions extends SessionFilter {
  readonly json?: true;
}

/** Gives `command` the options of `sallyport sessions`. */
export function sessionsCommand(command: Command): Command {
  return addFilters(
    command.description('list the open sessions of the gateway that runs with a configuration'),
  ).option('--json', 'one JSON object a line, with all that is known');
}

/** `sallyport sessions FILE`: one line each. Throws CommandError where the gateway cannot be asked. */
export async function sessions(context: Context, file: string, options: SessionsOptions): Promise<void> {
  const admin = await openAdminClient(context, file);
  const rows: string[][] = [['SESSION', 'ROUTE', 'SUBJECT', 'ADDRESS', 'TARGET', 'AGE', 'UP', 'DOWN']];
  for await (const view of all(admin, options)) {
    if (options.json) context.stdout.write(`${JSON.stringify(view)}\n`);
    else rows.push(rowOf(view));
  }
  if (options.json) return;
  context.stdout.write(rows.length === 1 ? 'no open sessions\n' : table(rows));
}

async function* all(admin: AdminClient, options: SessionsOptions): AsyncGenerator<SessionView> {
  let after: number | undefined = 0;
  while (after !== undefined) {
    const query = { ...filterOf(options), limit: PAGE, after: String(after) };
    const page = (await admin.ask('GET', '/sessions', { query })) as SessionPage;
    yield* page.sessions;
    after = page.next;
  }
}

function rowOf({ id, route, subject = '', address, target, ageMs, up, down }: SessionView): string[] {
  const who = [id, route, subject, address, target].map(printable);
  return [...who, age(ageMs), size(up.bytes), size(down.bytes)];
}

/** `3s`, `12m`, `5h`, `2d`. */
function age(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const;
  const [unit, length] = units.find(([, each]) => ms >= each) ?? ['s', 1_000];
  return `${Math.floor(ms / length)}${unit}`;
}

/** `512B`, `3.4KiB`, `1.0GiB`. */
function size(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? `${bytes}B` : `${(bytes / 1024 ** power).toFixed(1)}${units[power - 1]}`;
}
