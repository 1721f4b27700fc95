import type { Command } from 'commander';
import type { SessionFilter } from '../../observe/admin/sessions.ts';
import { CommandError, type Context, EXIT } from '../context.ts';
import { openAdminClient } from './admin.ts';
import { addFilters, filterOf } from './filters.ts';
import { endedText, JSON_OPTION, type OutputOptions, tell } from './output.ts';

export interface KillOptions extends SessionFilter, OutputOptions {
  readonly session?: string;
  readonly all?: true;
  readonly code?: string;
  readonly reason?: string;
}

/** Gives `command` the options of `sallyport kill`. */
export function killCommand(command: Command): Command {
  const described = command
    .description('end open sessions of the gateway that runs with a configuration')
    .option('--session <id>', 'the one that `sessions` and the log call so');
  return addFilters(described)
    .option('--all', 'every one there is')
    .option('--code <code>', 'of the Close, like 4001; absent: 1008')
    .option('--reason <text>', 'of the Close, at most 123 bytes')
    .option(...JSON_OPTION);
}

/** `sallyport kill FILE`: says how many. Throws CommandError where none are named, or the gateway cannot be asked. */
export async function kill(context: Context, file: string, options: KillOptions): Promise<void> {
  const { session, all, code, reason } = options;
  const filter = filterOf(options);
  const isFiltered = Object.keys(filter).length > 0;
  if ([session !== undefined, all === true, isFiltered].filter(Boolean).length !== 1)
    throw new CommandError(
      'say which: --session alone, or marks like --subject and --route, or --all',
      EXIT.usage,
    );
  if (reason !== undefined && code === undefined) throw new CommandError('--reason needs --code', EXIT.usage);
  const status = { ...(code !== undefined && { code }), ...(reason !== undefined && { reason }) };
  const admin = await openAdminClient(context, file, options.route);
  if (session !== undefined) {
    await admin.ask('DELETE', `/sessions/${encodeURIComponent(session)}`, { query: status });
    tell(context, options, { ended: 1 }, endedText(1));
    return;
  }
  const query = { ...filter, ...(all && { all: 'true' }), ...status };
  const { ended } = (await admin.ask('DELETE', '/sessions', { query })) as { ended: number };
  tell(context, options, { ended }, endedText(ended));
}
