import { isIP } from 'node:net';
import { z } from 'zod';

/** The configuration of TLS towards upstreams: whom to believe, and who we are. */

/** The ways from plain text to TLS that protocols have. */
export const STARTTLS_KINDS = ['postgres', 'smtp', 'imap', 'ldap'] as const;
export type StartTlsKind = (typeof STARTTLS_KINDS)[number];

const trust = {
  ca: z
    .string()
    .optional()
    .describe(
      'PEM file of the authorities that are believed, taken up when it changes; absent: those that Node comes with, and those the environment adds (NODE_EXTRA_CA_CERTS, NODE_USE_SYSTEM_CA)',
    ),
  servername: z
    .string()
    .optional()
    .describe('Name that is sent, and that the certificate must carry; absent: the target’s host'),
  cert: z
    .string()
    .optional()
    .describe(
      'PEM file with a certificate for upstreams that ask for one, taken up when it changes; absent: none',
    ),
  key: z.string().optional().describe('PEM file with its private key; absent: none'),
  verify: z
    .literal('off', 'expected off')
    .optional()
    .describe('Whoever answers is believed, whatever certificate it has; absent: the certificate is checked'),
};

const shape = z.strictObject({
  ...trust,
  starttls: z
    .enum(STARTTLS_KINDS)
    .optional()
    .describe('tcp: the protocol in which the service is asked for TLS; absent: TLS begins at once'),
});

/** All of it in a word, where nothing else is to be said. */
const word = z
  .enum(['on', ...STARTTLS_KINDS], `expected on, ${STARTTLS_KINDS.join(', ')}, or a mapping`)
  .transform((text): UpstreamTls => (text === 'on' ? {} : { starttls: text }));

export type UpstreamTls = z.output<typeof shape>;

/** Of services that speak TLS from the first byte, as their URL says. */
export const secureTls = z.strictObject(trust).superRefine(tlsRules);

export const upstreamTls = z.union([word, shape.superRefine(tlsRules)]);

/** A certificate and its key go together; authorities are for those who verify. */
function tlsRules({ ca, cert, key, verify, servername }: UpstreamTls, context: z.core.$RefinementCtx): void {
  function complain(path: string, message: string): void {
    context.addIssue({ code: 'custom', path: [path], message });
  }
  if (cert !== undefined && key === undefined) complain('cert', 'has no effect without its key');
  if (key !== undefined && cert === undefined) complain('key', 'has no effect without its cert');
  if (servername !== undefined && isIP(servername) !== 0)
    complain(
      'servername',
      'is an address, and TLS sends names only (RFC 6066 §3): leave it out where the target is that address',
    );
  if (verify === 'off' && ca !== undefined) complain('ca', 'has no effect beside verify: off');
}
