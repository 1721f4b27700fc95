import { expect, onTestFinished, test } from 'vitest';
import { folder, makeCertificate, writePair } from '../support/certificates.ts';
import { startGateway } from '../support/gateway.ts';
import { type Ran, run } from '../support/programs.ts';
import { startForwarder } from '../support/redis.ts';
import { startSlapd } from '../support/slapd.ts';

/** Debian's OpenLDAP, which answers nobody without TLS, and its own client, which speaks none here. */

const NAME = 'ldap.internal';

function whoAmI(port: number): Promise<Ran> {
  return run(['ldapwhoami', 'ldap-utils'], ['-x', '-H', `ldap://127.0.0.1:${port}`]);
}

test('`tls: { starttls: ldap }` brings a client to a server that wants TLS', async () => {
  const { files } = await writePair(await folder(), 'ldap', await makeCertificate({ dns: [NAME] }));
  const server = await startSlapd(files);
  expect((await whoAmI(server.port)).errors).toMatch(/Confidentiality required/);

  const tls = `{ starttls: ldap, ca: ${files.cert}, servername: ${NAME} }`;
  const gateway = await startGateway(
    `routes: [{ name: r, match: { path: /r }, auth: none, upstream: { tcp: "127.0.0.1:${server.port}", tls: ${tls} } }]`,
  );
  onTestFinished(() => gateway.close());
  const forwarder = await startForwarder(gateway.url('/r'), ['binary']);
  onTestFinished(() => forwarder.close());
  expect(await whoAmI(forwarder.port)).toMatchObject({ code: 0, output: 'anonymous\n' });
});
