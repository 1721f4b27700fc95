import { readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { fileWith } from './files.ts';
import { startGateway, type TestGateway } from './gateway.ts';
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

/** The change that makes the listener speak TLS. */
export function withTls({ cert, key }: { readonly cert: string; readonly key: string }): Changes {
  return { 'port: 8080': `port: 0\n    tls: { certificates: [{ cert: ${cert}, key: ${key} }] }` };
}

/** The issuer that the examples name. */
export interface ExampleIssuer {
  /** A token of alice, good for an hour. */
  readonly token: string;
  /** The change that has its keys read from a file. */
  readonly changes: Changes;
}

/** Makes that issuer a key of its own. Call it within a test. */
export async function startIssuer(): Promise<ExampleIssuer> {
  const key = signingKey('ES256');
  const file = await fileWith(keySet(jwk(key, { kid: 'one' })));
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const payload = claims({ iss: 'https://id.example.com/', aud: 'app', exp });
  return {
    token: mintText(key, JSON.stringify({ alg: key.alg, kid: 'one' }), JSON.stringify(payload)),
    changes: { 'https://id.example.com/.well-known/jwks.json': file },
  };
}
