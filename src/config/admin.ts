import { z } from 'zod';
import { hostName } from './fields.ts';
import { host, port } from './listeners.ts';
import { Secret } from './secret.ts';
import { socketFault } from './unix.ts';

/** The configuration of the listener for operators and for services that push. */

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

const shape = z.strictObject({
  host: host.default('127.0.0.1').describe('Address to listen on'),
  port: port.optional().describe('TCP port; 0 takes any free one; absent: it listens on `socket`'),
  socket: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Unix socket to listen on in place of host and port, which only the user of the gateway may open (mode 0600); absent: it listens on `port`',
    ),
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

export const admin = shape.superRefine(({ port, socket }, context) => {
  const complain = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  if (port === undefined && socket === undefined)
    complain([], 'has no place to listen: add port: 9090, or socket: admin.sock');
  if (port !== undefined && socket !== undefined)
    complain(['socket'], 'it listens on `port` already: remove one of the two');
  const fault = socket === undefined ? undefined : socketFault(socket);
  if (fault !== undefined) complain(['socket'], fault);
});

export type AdminConfig = z.output<typeof admin>;
