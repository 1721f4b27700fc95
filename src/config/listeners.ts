import { isIPv4 } from 'node:net';
import { z } from 'zod';

/** The configuration of the sockets that clients connect to. */

export const port = z.int().min(0).max(65_535);

/** What has nothing but digits and dots is no name, and the system would look for one. */
export const host = z
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
