import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { onTestFinished } from 'vitest';

/** A certificate and its key in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Names {
  /** As RFC 4514 writes it, the innermost first: `O=Acme, CN=device-7`; commas and the like with a backslash. */
  readonly subject?: string;
  readonly dns?: readonly string[];
  readonly email?: readonly string[];
  readonly uri?: readonly string[];
  readonly from?: Date;
  readonly to?: Date;
}

/** The far past, for certificates that have expired. */
export const EXPIRED = { from: new Date('2001-01-01'), to: new Date('2002-01-01') };

/** An authority that signs others; by itself, or signed by another. */
export function makeAuthority(
  name: string,
  by?: Pair,
  validity: Pick<Names, 'from' | 'to'> = {},
): Promise<Pair> {
  return make(`CN=${name}`, by, validity, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ]);
}

/** A certificate of these names; signed by itself if nobody else does. */
export function makeCertificate(names: Names, by?: Pair): Promise<Pair> {
  const { dns = [], email = [], uri = [] } = names;
  const altNames = [
    ...email.map((value) => ({ type: 1 as const, value })),
    ...dns.map((value) => ({ type: 2 as const, value })),
    ...uri.map((value) => ({ type: 6 as const, value })),
  ];
  const subject = names.subject ?? `CN=${dns[0] ?? 'nobody'}`;
  return make(subject, by, names, [
    { name: 'basicConstraints', cA: false },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName' as const, altNames }] : []),
  ]);
}

type Extensions = NonNullable<Parameters<typeof generate>[1]>['extensions'];

async function make(
  subject: string,
  by: Pair | undefined,
  { from, to }: Pick<Names, 'from' | 'to'>,
  extensions: Extensions,
): Promise<Pair> {
  // The library puts `TYPE=value` together for another one to take apart: what stands behind the first = may be anything.
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(subject) ?? [];
  const made = await generate([{ name, value }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions,
    ...(from && { notBeforeDate: from }),
    ...(to && { notAfterDate: to }),
    ...(by && { ca: { cert: by.cert, key: by.key } }),
  });
  return { cert: made.cert, key: made.private };
}

/** Two files in a folder of the test's, and a way to write them anew. */
export interface PairFiles {
  readonly files: Pair;
  readonly write: (pair: Partial<Pair>) => Promise<void>;
}

/** A folder that is gone when the test has finished. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-certificates-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

export async function writePair(path: string, name: string, pair: Pair): Promise<PairFiles> {
  const files = { cert: join(path, `${name}.crt`), key: join(path, `${name}.key`) };
  async function write({ cert, key }: Partial<Pair>): Promise<void> {
    if (cert !== undefined) await writeFile(files.cert, cert);
    if (key !== undefined) await writeFile(files.key, key);
  }
  await write(pair);
  return { files, write };
}
