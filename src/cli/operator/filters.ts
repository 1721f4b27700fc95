import type { Command } from 'commander';
import { FILTERS, type SessionFilter } from '../../observe/admin/sessions.ts';

const MEANINGS: Readonly<Record<(typeof FILTERS)[number], string>> = {
  route: 'of this route',
  subject: 'of who has proven to be this',
  issuer: 'by tokens of this issuer',
  origin: 'of pages of this origin',
  address: 'of clients at this address',
  target: 'that lead to this target',
};

/** Gives `command` an option for each mark by which sessions are chosen. */
export function addFilters(command: Command): Command {
  for (const name of FILTERS) command.option(`--${name} <${name}>`, MEANINGS[name]);
  return command;
}

/** Those that are given. */
export function filterOf(options: SessionFilter): Record<string, string> {
  return Object.fromEntries(
    FILTERS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}
