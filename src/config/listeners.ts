import { z } from 'zod';
import { hostName } from './fields.ts';

/** The configuration of the sockets that the gateway opens. */

const port = z.int().min(0).max(65_535);

const certificate = z.strictObject({
  cert: z.string().describe('PEM file with the certificate and its chain'),
  key: z.string().describe('PEM file with the private key'),
});

export const listener = z.strictObject({
  host: z.string().default('::').describe('Address to listen on; "::" is every address, IPv4 included'),
  port: port.describe('TCP port; 0 takes any free one'),
  tls: z
    .strictObject({
      certificates: z
        .array(certificate)
        .min(1)
        .describe('Chosen by server name; the first also serves unknown names'),
      minVersion: z
        .enum(['TLSv1.2', 'TLSv1.3'])
        .default('TLSv1.2')
        .describe('Oldest version of TLS that is spoken'),
      clientCa: z
        .string()
        .optional()
        .describe(
          'PEM file with the authorities of client certificates; absent: clients are not asked for one',
        ),
      clientAuth: z
        .enum(['optional', 'required'])
        .optional()
        .describe(
          'With clientCa: whether a client without a good certificate gets as far as a route; absent: required',
        ),
    })
    .optional()
    .describe('TLS, with the certificates that are shown; absent: plain text'),
});

export const admin = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address to listen on'),
  port: port.describe('TCP port; 0 takes any free one'),
  names: z
    .array(hostName)
    .prefault([])
    .describe('Names it answers to, besides localhost and the address a connection came to; others get 403'),
});
