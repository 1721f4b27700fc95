import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startApplication } from '../support/application.ts';
import { folder, makeAuthority, makeCertificate, type Pair, writePair } from '../support/certificates.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { type Process, startServing } from '../support/cli.ts';
import { curl, run } from '../support/programs.ts';

/** A gateway in a process of its own, whose certificates change and whose clients have some, as openssl, curl and Chromium see it. */

const OPENSSL = ['openssl', 'openssl'] as const;

/** Runs openssl to its end. */
async function openssl(args: readonly string[], input = ''): Promise<string> {
  const { code, output, errors } = await run(OPENSSL, args, input);
  if (code !== 0) throw new Error(`openssl ${args.join(' ')}: ${errors}`);
  return output;
}

/** What `openssl s_client` says of the certificate it is shown, verified against `ca`. */
async function shownToOpenssl(port: number, ca: string, servername = 'app.test'): Promise<string> {
  const target = ['-connect', `127.0.0.1:${port}`, '-servername', servername];
  const { output, errors } = await run(
    OPENSSL,
    ['s_client', ...target, '-CAfile', ca, '-verify_return_error'],
    '',
  );
  const verdict = /Verify return code: (\d+)/.exec(output)?.[1];
  return `${/subject=.*?CN ?= ?([\w.-]+)/.exec(output)?.[1]} ${verdict ?? errors}`;
}

/** A gateway whose routes lead to an application. */
async function serve(tls: string, auth = 'none', port = 0): Promise<{ daemon: Process; port: number }> {
  return startServing(`listeners: [{ host: 127.0.0.1, port: 0, tls: ${tls} }]
routes: [{ name: all, match: { path: /* }, auth: ${auth}, upstream: { http: "http://127.0.0.1:${port || 9}" } }]`);
}

describe('a certificate that is renewed under a gateway that runs', () => {
  async function start() {
    const path = await folder();
    const ca = await makeAuthority('root');
    const pairs = await Promise.all(
      ['before', 'after', 'last'].map((name) =>
        makeCertificate({ subject: `CN=${name}`, dns: ['app.test', 'localhost'] }, ca),
      ),
    );
    const trust = (await writePair(path, 'root', ca)).files.cert;
    return { path, trust, pairs: pairs as [Pair, Pair, Pair] };
  }

  test('is seen by openssl s_client, whatever was there in between', async () => {
    const { path, trust, pairs } = await start();
    const { files, write } = await writePair(path, 'app', pairs[0]);
    const { daemon, port } = await serve(`{ certificates: [{ cert: ${files.cert}, key: ${files.key} }] }`);
    expect(await shownToOpenssl(port, trust)).toBe('before 0');
    await write({ cert: pairs[1].cert.slice(0, 300) });
    await daemon.line(/"problem":".*is not a certificate in PEM form"/);
    expect(await shownToOpenssl(port, trust)).toBe('before 0');
    await write(pairs[1]);
    await daemon.line(/a renewed certificate is in service/);
    expect(await shownToOpenssl(port, trust)).toBe('after 0');
    expect(await shownToOpenssl(port, trust, 'unknown.test')).toBe('after 0');
  });

  test('is seen by Chromium', async () => {
    const { path, pairs } = await start();
    const { files, write } = await writePair(path, 'app', pairs[0]);
    await using app = await startApplication('app');
    const { daemon, port } = await serve(
      `{ certificates: [{ cert: ${files.cert}, key: ${files.key} }] }`,
      'none',
      app.port,
    );
    const browser = await launchChromium();
    async function seen(): Promise<unknown> {
      const page = await openPage(browser);
      const answer = await page.goto(`https://localhost:${port}/`);
      return [answer?.status(), (await answer?.securityDetails())?.subjectName];
    }
    try {
      expect(await seen()).toEqual([200, 'before']);
      await write(pairs[1]);
      await daemon.line(/a renewed certificate is in service/);
      expect(await seen()).toEqual([200, 'after']);
    } finally {
      await browser.close();
    }
  });

  test('is taken up where a link is put in the place of another, as Kubernetes does', async () => {
    const { path, trust, pairs } = await start();
    for (const [index, name] of (['..one', '..two'] as const).entries()) {
      await mkdir(join(path, name));
      await writeFile(join(path, name, 'tls.crt'), (pairs[index] as Pair).cert);
      await writeFile(join(path, name, 'tls.key'), (pairs[index] as Pair).key);
    }
    await symlink('..one', join(path, '..data'));
    for (const name of ['tls.crt', 'tls.key']) await symlink(join('..data', name), join(path, name));
    const { daemon, port } = await serve(
      `{ certificates: [{ cert: ${path}/tls.crt, key: ${path}/tls.key }] }`,
    );
    expect(await shownToOpenssl(port, trust)).toBe('before 0');
    await symlink('..two', join(path, '..next'));
    await rename(join(path, '..next'), join(path, '..data'));
    await daemon.line(/a renewed certificate is in service/);
    expect(await shownToOpenssl(port, trust)).toBe('after 0');
  });

  test('made by openssl, with a key of any kind, is tried and served', async () => {
    const path = await folder();
    const kinds = { rsa: 'rsa:2048', ed: 'ed25519', p384: 'ec -pkeyopt ec_paramgen_curve:P-384' };
    for (const [name, kind] of Object.entries(kinds)) {
      const files = ['-keyout', `${path}/${name}.key`, '-out', `${path}/${name}.crt`];
      await openssl([
        'req',
        '-x509',
        '-nodes',
        '-newkey',
        ...kind.split(' '),
        '-subj',
        `/CN=${name}`,
        ...files,
      ]);
    }
    const all = Object.keys(kinds).map((name) => `{ cert: ${path}/${name}.crt, key: ${path}/${name}.key }`);
    const { port } = await serve(`{ certificates: [${all}] }`);
    for (const name of Object.keys(kinds))
      expect(await shownToOpenssl(port, `${path}/${name}.crt`, name)).toBe(`${name} 0`);
  });
});

describe('a client certificate', () => {
  const NEW_KEY = ['req', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

  /** An authority of openssl's, a certificate of the gateway's own, and clients of all kinds. */
  async function authority(path: string): Promise<void> {
    for (const name of ['ca', 'other'])
      await openssl([
        ...NEW_KEY,
        '-x509',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        `${path}/${name}.key`,
        '-out',
        `${path}/${name}.crt`,
      ]);
    const gate = await makeCertificate({ dns: ['localhost'] });
    await writePair(path, 'gate', gate);
  }

  async function issue(path: string, name: string, subject: string, by = 'ca', days = '30'): Promise<void> {
    const files = ['-keyout', `${path}/${name}.key`, '-out', `${path}/${name}.csr`];
    await openssl([...NEW_KEY, '-utf8', '-subj', subject, ...files]);
    const signing = ['-CA', `${path}/${by}.crt`, '-CAkey', `${path}/${by}.key`, '-CAcreateserial'];
    await openssl([
      'x509',
      '-req',
      '-in',
      `${path}/${name}.csr`,
      ...signing,
      '-days',
      days,
      '-out',
      `${path}/${name}.crt`,
    ]);
  }

  test('is asked for, and believed by its subject as openssl writes it', async () => {
    const path = await folder();
    await authority(path);
    await issue(path, 'device', '/O=Acme, Inc./CN=ger\u00e4t\\+7');
    await issue(path, 'wrong', '/O=Acme/CN=device-8');
    await issue(path, 'foreign', '/O=Acme, Inc./CN=ger\u00e4t\\+7', 'other');
    await issue(path, 'expired', '/O=Acme, Inc./CN=ger\u00e4t\\+7', 'ca', '-1');
    const asked = ['x509', '-in', `${path}/device.crt`, '-noout', '-subject', '-nameopt', 'RFC2253'];
    const subject = (await openssl(asked)).replace(/^subject=\s*/, '').trim();
    await using app = await startApplication('app');
    const tls = `{ certificates: [{ cert: ${path}/gate.crt, key: ${path}/gate.key }], clientCa: ${path}/ca.crt, clientAuth: optional }`;
    const auth = `{ certificate: { subjects: [${JSON.stringify(subject)}] }, forward: { x-client-dn: /certificate/subject } }`;
    const { port } = await serve(tls, auth, app.port);
    async function statusFor(name?: string): Promise<string> {
      const shown =
        name === undefined ? [] : ['--cert', `${path}/${name}.crt`, '--key', `${path}/${name}.key`];
      const args = ['--cacert', `${path}/gate.crt`, '--output', '/dev/null', '--write-out', '%{http_code}'];
      return (await curl([...args, ...shown, `https://localhost:${port}/state`])).output;
    }
    expect(await statusFor('device')).toBe('200');
    expect(decodeURIComponent(String(app.requests[0]?.headers['x-client-dn']))).toBe(
      'CN=gerät\\+7,O=Acme\\, Inc.',
    );
    for (const bad of [undefined, 'wrong', 'foreign', 'expired']) expect(await statusFor(bad)).toBe('403');
  });

  test('that is required and not there, or not good, ends the handshake', async () => {
    const path = await folder();
    await authority(path);
    await issue(path, 'device', '/CN=device-7');
    await issue(path, 'foreign', '/CN=device-7', 'other');
    await using app = await startApplication('app');
    const tls = `{ certificates: [{ cert: ${path}/gate.crt, key: ${path}/gate.key }], clientCa: ${path}/ca.crt }`;
    const { daemon, port } = await serve(tls, 'none', app.port);
    async function talk(name?: string) {
      const shown =
        name === undefined ? [] : ['--cert', `${path}/${name}.crt`, '--key', `${path}/${name}.key`];
      const { code, output } = await curl([
        '--cacert',
        `${path}/gate.crt`,
        ...shown,
        `https://localhost:${port}/state`,
      ]);
      return code === 0 ? output : 'no answer';
    }
    expect(await talk('device')).toBe('app page /state');
    expect(await talk()).toBe('no answer');
    await daemon.line(/"reasons":\{"client_certificate":1\}.*"TLS handshakes failed"/);
    expect(await talk('foreign')).toBe('no answer');
    expect(app.requests).toHaveLength(1);
  });
});
