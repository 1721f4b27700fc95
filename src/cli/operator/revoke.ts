import type { Command } from 'commander';
import type { RevocationView, Revoking } from '../../observe/admin/revocations.ts';
import { CommandError, type Context, EXIT } from '../context.ts';
import { table } from '../table.ts';
import { type AdminClient, openAdminClient } from './admin.ts';
import { endedText, JSON_OPTION, type OutputOptions, tell } from './output.ts';
import { printable } from './printable.ts';

const KINDS = ['subject', 'jti', 'sid', 'key', 'session'] as const;

export interface RevokeOptions extends Partial<Record<(typeof KINDS)[number], string>>, OutputOptions {
  readonly issuer?: string;
  readonly for?: string;
  readonly undo?: true;
  readonly list?: true;
}

/** Gives `command` the options of `sallyport revoke`. */
export function revokeCommand(command: Command): Command {
  return command
    .description(
      'let clients in no more, and end their sessions, at the gateway that runs with a configuration',
    )
    .option('--subject <name>', 'who has proven to be this, by tokens that are issued until now')
    .option('--jti <id>', 'the token of this name')
    .option('--sid <id>', 'the tokens of this sign-in')
    .option('--key <kid>', 'the tokens that this key has signed')
    .option('--session <id>', 'the token of the session that `sessions` and the log call so')
    .option('--issuer <name>', 'of the tokens that are meant; absent: any')
    .option('--for <duration>', 'as long as such tokens are good, like 12h; absent: 24h')
    .option('--undo', 'take it back')
    .option('--list', 'what is revoked, and until when')
    .option(...JSON_OPTION);
}

/** `sallyport revoke FILE`. Throws CommandError where nothing is named, or the gateway cannot be asked. */
export async function revoke(context: Context, file: string, options: RevokeOptions): Promise<void> {
  const [kind, ...more] = KINDS.filter((name) => options[name] !== undefined);
  const isOne = kind !== undefined && more.length === 0;
  if (options.list ? kind !== undefined : !isOne)
    throw new CommandError(
      `say one of ${KINDS.map((name) => `--${name}`).join(', ')}, or --list`,
      EXIT.usage,
    );
  const admin = await openAdminClient(context, file);
  if (kind === undefined) return list(context, admin, options);
  const order = {
    [kind]: options[kind] ?? '',
    ...(options.issuer !== undefined && { issuer: options.issuer }),
    ...(options.for !== undefined && { for: options.for }),
  };
  if (options.undo) {
    await admin.ask('DELETE', '/revocations', { query: order });
    tell(context, options, { undone: true }, 'taken back');
    return;
  }
  const done = (await admin.ask('POST', '/revocations', { body: order })) as Revoking;
  const unheard = done.unheard ? '; other gateways cannot hear of it before the store answers again' : '';
  tell(context, options, done, `revoked; ${endedText(done.ended)}${unheard}`);
}

async function list(context: Context, admin: AdminClient, options: RevokeOptions): Promise<void> {
  const { revocations } = (await admin.ask('GET', '/revocations')) as { revocations: RevocationView[] };
  const rows = revocations.map(({ by, value, issuer = 'any', until = 'as listed' }) =>
    [by, value, issuer, until].map(printable),
  );
  const text =
    rows.length === 0 ? 'nothing is revoked' : table([['BY', 'VALUE', 'ISSUER', 'UNTIL'], ...rows]).trimEnd();
  tell(context, options, { revocations }, text);
}
