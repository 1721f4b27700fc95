import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startGateway, type TestGateway } from './gateway.ts';
import { certificate } from './listener.ts';
import { claims, jwk, keySet, mintText, signingKey } from './tokens.ts';

/** Gateways with the configurations of config/examples/, but with what this machine has in place of what they name. */

/** A text of the example, and what stands in its place. */
export type Changes = Readonly<Record<string, string>>;

/** Starts a gateway with `config/examples/NAME.yaml`; closed when the test has finished. Every change must find its text. */
export async function startExample(name: string, changes: Changes): Promise<TestGateway> {
  const file = new URL(`../../config/examples/${name}.yaml`, import.meta.url);
  const text = Object.entries({ 'port: 8080': 'port: 0', ...changes }).reduce(
    replaceText,
    await readFile(file, 'utf8'),
  );
  const gateway = await startGateway(text);
  onTestFinished(() => gateway.close());
  return gateway;
}

function replaceText(text: string, [given, ours]: readonly [string, string]): string {
  if (!text.includes(given)) throw new Error(`the example does not say ${given}`);
  return text.replace(given, () => ours);
}

/** A gateway with TLS. */
export interface Secure {
  readonly gateway: TestGateway;
  /** The certificate it shows as `localhost` and as `app.example.com`, and its file. */
  readonly ca: Buffer;
  readonly caFile: string;
}

/** A gateway that asks for a token, and what gets past it. */
export interface Guarded extends Secure {
  /** A token of alice, good for an hour. */
  readonly token: string;
  /** One with other claims. */
  mint(changes: object): string;
}

/** The same with TLS, and with a key of our own for the issuer that the examples name. Call it within a test. */
export async function startGuardedExample(name: string, changes: Changes): Promise<Guarded> {
  const folder = await startFolder();
  const issuer = await startIssuer(join(folder, 'jwks.json'));
  const jwks = { 'https://id.example.com/.well-known/jwks.json': issuer.jwks };
  const { mint } = issuer;
  return { ...(await startSecureExample(name, { ...jwks, ...changes })), token: mint(), mint };
}

/** The same with TLS, for an example that asks for no token. Call it within a test. */
export async function startSecureExample(name: string, changes: Changes): Promise<Secure> {
  const { cert, key } = await certificate(await startFolder(), ['localhost', 'app.example.com']);
  const tls = { 'port: 8080': `port: 0\n    tls: { certificates: [{ cert: ${cert}, key: ${key} }] }` };
  const gateway = await startExample(name, { ...tls, ...changes });
  return { gateway, ca: await readFile(cert), caFile: cert };
}

async function startFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** Writes its key set to `jwks`, and mints tokens. */
async function startIssuer(jwks: string): Promise<{ jwks: string; mint: (changes?: object) => string }> {
  const key = signingKey('ES256');
  await writeFile(jwks, keySet(jwk(key, { kid: 'one' })));
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const header = JSON.stringify({ alg: key.alg, kid: 'one' });
  const own = { iss: 'https://id.example.com/', aud: 'app', exp };
  return { jwks, mint: (changes) => mintText(key, header, JSON.stringify(claims({ ...own, ...changes }))) };
}
