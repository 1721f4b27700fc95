import { z } from 'zod';
import { keyFile, type ServiceAddress, serviceAddress } from '../fields.ts';
import { addressFault } from './host.ts';

/** The key `targets` of an upstream: the services that clients may choose from, by names of their own. */

/** Entries that stand in the configuration, or a file or folder that holds them. */
export type TableConfig =
  | { readonly entries: Readonly<Record<string, ServiceAddress>> }
  | { readonly file: string };

const MAX_KEY = 1024;

const entryAddress = serviceAddress.superRefine((where, context) => {
  const message = addressFault(where);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

const table = z.union(
  [
    keyFile.transform((file): TableConfig => ({ file })),
    z
      .record(z.string().min(1).max(MAX_KEY), entryAddress)
      .refine(
        (entries) => Object.keys(entries).length > 0,
        'must not be empty: whoever comes would be refused',
      )
      .transform((entries): TableConfig => ({ entries })),
  ],
  'expected a mapping of names to host:port, or file:PATH',
);

/** The key of an upstream that names the services to choose from. */
export const tableFields = {
  targets: table
    .optional()
    .describe(
      'tcp with a {placeholder}: the services by what clients fill in, name: host:port. Or file:PATH: a file of such lines (websockify’s token files), or a folder of them, read again when it changes; absent: clients name host:port themselves',
    ),
};
