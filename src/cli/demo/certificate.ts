import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generate } from 'selfsigned';

const DAY_MS = 86_400_000;
const LIFE_DAYS = 90;
const RENEW_DAYS = 7;

/** Two PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * A self-signed certificate for localhost, 127.0.0.1 and ::1 in `folder`: the one of an earlier start while it has a
 * week to live, else a new one. Only the owner may read the key. Rejects if the folder cannot be written.
 */
export async function demoCertificate(folder: string, now: Date = new Date()): Promise<CertificateFiles> {
  const files = { cert: join(folder, 'localhost.crt'), key: join(folder, 'localhost.key') };
  if (await isUsable(files, now)) return files;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - DAY_MS),
    notAfterDate: new Date(now.getTime() + LIFE_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  await replaceFile(files.key, made.private, 0o600);
  await replaceFile(files.cert, made.cert, 0o644);
  return files;
}

/** A pair that is missing, damaged or near its end is made anew. */
async function isUsable(files: CertificateFiles, now: Date): Promise<boolean> {
  try {
    const certificate = new X509Certificate(await readFile(files.cert));
    const key = createPrivateKey(await readFile(files.key));
    const leftMs = Date.parse(certificate.validTo) - now.getTime();
    return leftMs > RENEW_DAYS * DAY_MS && certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/** The mode of a file that exists already would stay as it is: the new one takes its place. */
async function replaceFile(file: string, content: string, mode: number): Promise<void> {
  const fresh = `${file}.new`;
  await writeFile(fresh, content, { mode });
  await rename(fresh, file);
}
