import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { makeAuthority, makeCertificate } from './certificates.ts';
import { Process } from './cli.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from './fresh.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { scratch } from './plain-services.ts';

/** A gateway with TLS that wants a token, and `sallyport` in processes of their own in front of it. */

export interface Stage {
  readonly folder: string;
  readonly gateway: TestGateway;
  /** Of the gateway; its certificate is for localhost. */
  readonly port: number;
  readonly ca: string;
  readonly tokenFile: string;
}

/** A gateway with this upstream at a path, and files with its authority and a token. */
export async function stage(path: string, upstream: string): Promise<Stage> {
  const folder = await scratch();
  const authority = await makeAuthority('a test');
  const pair = await makeCertificate({ dns: ['localhost'] }, authority);
  const file = (name: string) => join(folder, name);
  await writeFile(file('ca.pem'), authority.cert);
  await writeFile(file('gate.pem'), pair.cert);
  await writeFile(file('gate.key'), pair.key);
  await writeFile(file('token'), freshToken());
  const gateway = await startGateway(
    `
listeners: [{ host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: "${file('gate.pem')}", key: "${file('gate.key')}" }] } }]
${TOKEN_ISSUER}
routes: [{ name: to, match: { path: "${path}" }, auth: { issuer: main, token: [header, subprotocol] }, upstream: { ${upstream} } }]
`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  return { folder, gateway, port: gateway.port, ca: file('ca.pem'), tokenFile: file('token') };
}

/** `sallyport` with options for the stage; the port it says. */
export async function running(
  command: string,
  args: readonly string[],
  { ca, tokenFile }: Stage,
): Promise<number> {
  const child = new Process([command, ...args, '--ca', ca, '--token-file', tokenFile]);
  return Number(/:(\d+) -> /.exec(await child.line(/ -> /))?.[1]);
}

/** A local port behind which this service is; `more` is for its upstream. */
export async function forwarded(service: number, more = ''): Promise<number> {
  const there = await stage('/to', `tcp: "127.0.0.1:${service}"${more}`);
  return running('forward', [`wss://localhost:${there.port}/to`], there);
}
