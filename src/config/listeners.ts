import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { hostName } from './fields.ts';
import { Secret } from './secret.ts';

/** The configuration of the sockets that the gateway opens. */

const port = z.int().min(0).max(65_535);

/** What has nothing but digits and dots is no name, and the system would look for one. */
const host = z
  .string()
  .refine((text) => !/^[\d.]+$/.test(text) || isIPv4(text), 'expected an address like 127.0.0.1 or ::');

const certificate = z.strictObject({
  cert: z.string().describe('PEM file with the certificate, behind it that of its issuer, and so on'),
  key: z.string().describe('PEM file with the private key'),
});

const tls = z
  .strictObject({
    certificates: z
      .array(certificate)
      .min(1)
      .describe(
        'Chosen by server name; the first also serves unknown names. Renewed files are taken up as they change',
      ),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .default('TLSv1.2')
      .describe('Oldest version of TLS that is spoken'),
    clientCa: z
      .string()
      .optional()
      .describe(
        'PEM file with the authorities of client certificates, taken up when it changes; absent: clients are not asked for one',
      ),
    clientAuth: z
      .enum(['optional', 'required'])
      .optional()
      .describe(
        'With clientCa: whether a client without a good certificate gets as far as a route; absent: required',
      ),
  })
  .superRefine(clientRules);

function clientRules(
  { clientCa, clientAuth }: { clientCa?: string | undefined; clientAuth?: string | undefined },
  context: z.core.$RefinementCtx,
): void {
  if (clientAuth === undefined || clientCa !== undefined) return;
  const message = 'has no effect without clientCa, which names the authorities of client certificates';
  context.addIssue({ code: 'custom', path: ['clientAuth'], message });
}

export const listener = z.strictObject({
  host: host.default('::').describe('Address to listen on; "::" is every address, IPv4 included'),
  port: port.describe('TCP port; 0 takes any free one'),
  tls: tls.optional().describe('TLS, with the certificates that are shown; absent: plain text'),
  proxyProtocol: z
    .literal(true, 'expected true')
    .optional()
    .describe(
      'The proxies in trustedProxies, and they alone, begin each connection with a PROXY header (version 1 or 2), in front of TLS too; absent: nobody does',
    ),
});

/** Nobody guesses 32 of them, and a field can carry each (RFC 9110 §5.5). */
const secret = z
  .string()
  .regex(
    /^[!-~]{32,4096}$/,
    'expected at least 32 visible ASCII characters without spaces, as `openssl rand -base64 32` gives',
  );

const aws = z.strictObject({
  accessKeyId: z
    .string()
    .regex(/^\w{16,128}$/, 'expected 16 to 128 letters, digits or _, as AWS’s have')
    .describe('The name of the key; one of your own making does'),
  secretAccessKey: secret
    .transform((text) => new Secret(text))
    .describe('The key itself: from the environment, or file:PATH, never the text itself'),
});

export const admin = z.strictObject({
  host: host.default('127.0.0.1').describe('Address to listen on'),
  port: port.describe('TCP port; 0 takes any free one'),
  names: z
    .array(hostName)
    .prefault([])
    .describe('Names it answers to, besides localhost and the address a connection came to; others get 403'),
  secret: secret
    .optional()
    .describe(
      'What services show as `Authorization: Bearer` to push messages, close connections and look at them: from the environment, or file:PATH, never the text itself; absent: only who signs as `aws` says',
    ),
  aws: aws
    .optional()
    .describe(
      'The key with which AWS’s SDKs sign their requests (Signature Version 4), in place of the secret; absent: only who shows the secret may push, close and look',
    ),
});
