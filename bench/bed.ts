import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { generate } from 'selfsigned';
import { type Processes, reply } from './measure/processes.ts';
import type { Bed, Cores, Service, Tokens } from './types.ts';

const SERVICES: readonly Service[] = [
  'echo-websocket',
  'echo-tcp',
  'echo-http',
  'source',
  'http',
  'poll',
  'websocket-over-http',
];

const ISSUER = 'bench';
const SECRET = 'a secret of thirty-two characters';

/** Prepares a certificate and tokens in a folder, and starts the services. */
export async function makeBed(processes: Processes, cores: Cores, directory: string): Promise<Bed> {
  const [certificate, tokens] = await Promise.all([makeCertificate(directory), makeTokens(directory)]);
  const ports = await startServices(processes, cores.service, directory);
  return { ports, certificate, tokens, directory, cores, processes };
}

async function startServices(processes: Processes, core: number | undefined, directory: string) {
  const entries = SERVICES.map(async (service) => {
    const script = new URL(`./services/${service}.ts`, import.meta.url);
    const running = processes.script(script, [], core, join(directory, `${service}.out`));
    return [service, await reply<number>(running)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Bed['ports'];
}

async function makeCertificate(directory: string): Promise<Bed['certificate']> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
  });
  return { cert: write(directory, 'cert.pem', cert), key: write(directory, 'key.pem', key) };
}

async function makeTokens(directory: string): Promise<Tokens> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  function sign(subject: string): Promise<string> {
    return claims(subject).setProtectedHeader({ alg: 'ES256' }).sign(privateKey);
  }
  return {
    issuer: ISSUER,
    audience: ISSUER,
    secretFile: write(directory, 'secret', SECRET),
    common: await claims('bench').setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(SECRET)),
    publicKeyFile: write(directory, 'public.pem', await exportSPKI(publicKey)),
    sign: (count) => Promise.all(Array.from({ length: count }, (_, at) => sign(`client-${at}`))),
  };
}

function claims(subject: string): SignJWT {
  const token = new SignJWT().setIssuer(ISSUER).setAudience(ISSUER).setSubject(subject);
  return token.setIssuedAt().setExpirationTime('6h');
}

function write(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}
