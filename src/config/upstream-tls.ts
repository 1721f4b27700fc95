import { z } from 'zod';

/** The configuration of TLS towards upstreams: whom to believe, and who we are. */

const shape = z.strictObject({
  ca: z
    .string()
    .optional()
    .describe('PEM file of the authorities to trust instead of the system’s, taken up when it changes'),
  servername: z.string().optional().describe('Name to send and to verify instead of the host'),
  cert: z
    .string()
    .optional()
    .describe('PEM file with a certificate to show to upstreams that ask for one, taken up when it changes'),
  key: z.string().optional().describe('PEM file with its private key'),
  verify: z
    .literal('off', 'expected off')
    .optional()
    .describe('off: whoever answers is believed, whatever certificate it has'),
});

export type UpstreamTls = z.output<typeof shape>;

export const upstreamTls = shape.superRefine(tlsRules);

/** A certificate and its key go together; authorities are for those who verify. */
function tlsRules({ ca, cert, key, verify }: UpstreamTls, context: z.core.$RefinementCtx): void {
  function complain(path: string, message: string): void {
    context.addIssue({ code: 'custom', path: [path], message });
  }
  if (cert !== undefined && key === undefined) complain('cert', 'has no effect without its key');
  if (key !== undefined && cert === undefined) complain('key', 'has no effect without its cert');
  if (verify === 'off' && ca !== undefined) complain('ca', 'has no effect beside verify: off');
}
