import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, type ParsedConfig } from '../../src/config/load.ts';
import { type Place, places } from '../../src/config/tree.ts';
import { certificate } from './listener.ts';
import { pem, signingKey } from './tokens.ts';

/** Configurations that come with the program, loaded with files and variables in place of those they ask their users for. */

/** Long enough for any secret, and fit for a header field. */
const SECRET = 'a-secret-of-sixty-four-bytes-or-more,-as-HS512-asks-for:0123456789';

/** Where a configuration names files that its user has, by what is in them. */
const FILES: Readonly<Record<'cert' | 'key' | 'publicKey' | 'secret', readonly string[]>> = {
  cert: [
    'listeners.*.tls.certificates.*.cert',
    'listeners.*.tls.clientCa',
    'routes.*.upstream.tls.ca',
    'routes.*.upstream.tls.cert',
    'store.tls.ca',
    'store.tls.cert',
  ],
  key: ['listeners.*.tls.certificates.*.key', 'routes.*.upstream.tls.key', 'store.tls.key'],
  publicKey: ['issuers.*.publicKey'],
  secret: [
    'issuers.*.secret',
    'admin.secret',
    'routes.*.upstream.credentials.value',
    'routes.*.upstream.credentials.*.value',
  ],
};

/** Loads a copy of `file`, beside which is what it names and does not bring along. Call it within a test. */
export async function loadExample(file: string): Promise<ParsedConfig> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-examples-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(dirname(file), folder, { recursive: true });
  const text = await readFile(file, 'utf8');
  const contents = await contentsIn(folder);
  for (const [kind, patterns] of Object.entries(FILES)) {
    const named = patterns.flatMap((pattern) => places(parse(text), pattern)).flatMap(relativePath);
    for (const name of named) await writeMissing(join(folder, name), contents[kind as keyof typeof FILES]);
  }
  const variables = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, SECRET]);
  return loadConfig(join(folder, basename(file)), { env: Object.fromEntries(variables) });
}

async function contentsIn(folder: string): Promise<Record<keyof typeof FILES, string>> {
  const { cert, key } = await certificate(folder, ['app.example.com']);
  return {
    cert: await readFile(cert, 'utf8'),
    key: await readFile(key, 'utf8'),
    publicKey: pem(signingKey('EdDSA')),
    secret: SECRET,
  };
}

function relativePath({ value }: Place): string[] {
  if (typeof value !== 'string' || value.includes('${')) return [];
  return [value.replace(/^file:/, '')];
}

async function writeMissing(path: string, content: string): Promise<void> {
  await mkdir(dirname(resolve(path)), { recursive: true });
  await writeFile(path, content, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}
