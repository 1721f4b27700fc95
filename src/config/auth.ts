import { z } from 'zod';
import { certificateSubject } from './certificate-subject.ts';
import { duration, headerName, keyFile, oneOrMany, tokenSource, urlOrSocket } from './fields.ts';
import { tickets } from './tickets.ts';
import { readUnix, socketFault } from './unix.ts';
import { secureTls } from './upstream-tls.ts';

/** The configuration of how clients prove who they are. */

const plain = z.union([z.string(), z.number(), z.boolean()]);

const wanted = z.union(
  [
    z.string(),
    z.number(),
    z.boolean(),
    z.array(z.string()).min(1),
    z.strictObject({ anyOf: z.array(plain).min(1).describe('One of these is enough') }),
  ],
  'expected a text, a number, true, false, a list of texts, or a mapping with anyOf',
);

/** What claims must be, by their names. */
export const wantedClaims = z.record(z.string(), wanted);

const certificate = z.strictObject({
  subjects: z
    .array(certificateSubject)
    .min(1)
    .optional()
    .describe(
      'Who is let in: a common name; a whole subject, as `openssl x509 -subject -nameopt RFC2253` writes it (CN=device-7,O=Acme); dns:NAME, where *.example.com stands for any one label; email:NAME; or uri:URI, where spiffe://example.com/ns/* stands for all that begin so; absent: everybody whom clientCa vouches for',
    ),
});

const externalShape = z.strictObject({
  url: urlOrSocket('http', 'https').describe(
    'What is asked with a GET about every request: 2xx lets in, its header fields are claims; 3xx, 401 and 403 are relayed; else 503',
  ),
  forward: z
    .array(headerName)
    .min(1)
    .prefault(['cookie', 'authorization'])
    .describe('Headers of the client that it gets to see'),
  subject: headerName
    .optional()
    .describe('The header of its answer that names the client; absent: none does'),
  expires: headerName
    .prefault('x-auth-expires')
    .describe(
      'The header of its answer that says until when it holds: seconds since the epoch, or an HTTP date; open WebSockets end then',
    ),
  cache: duration
    .optional()
    .describe(
      'How long a 2xx holds for the same client, headers, method and address, never beyond `expires`; absent: it is asked each time',
    ),
  within: duration.prefault('5s').describe('The whole answer must come in this time; else 503'),
  tls: secureTls
    .optional()
    .describe('TLS towards it; absent: its certificate must be believed, and it is shown none'),
});

/** What cannot be dialled, or would have no effect. */
const external = externalShape.superRefine(({ url, tls }, context) => {
  const unix = readUnix(url);
  const fault = unix && socketFault(unix.socketPath);
  if (fault !== undefined) context.addIssue({ code: 'custom', path: ['url'], message: fault });
  if (tls !== undefined && !/^https:/i.test(url))
    context.addIssue({ code: 'custom', path: ['tls'], message: 'has no effect: url is not https://' });
});

export const auth = z.strictObject({
  issuer: oneOrMany(z.string().min(1))
    .default([])
    .describe('Whose tokens are good: names from `issuers`; absent: nobody’s'),
  keys: keyFile
    .optional()
    .describe('API keys that are let in beside tokens: file:PATH, made by `sallyport key`; absent: none'),
  certificate: certificate
    .optional()
    .describe('A client certificate is asked for, beside whatever else is; absent: it is not'),
  external: external.optional().describe('Another service is asked, beside whatever else is; absent: none'),
  token: z
    .array(tokenSource)
    .min(1)
    .prefault(['header'])
    .describe(
      'Where to look for the token or the API key; ticket: upgrades may show a ticket that was given for one, as ?ticket=',
    ),
  tickets: tickets
    .optional()
    .describe(
      'What clients get at /.sallyport/ticket for what they prove themselves with, to show once in the query of an upgrade; absent: those of its keys',
    ),
  require: wantedClaims
    .default({})
    .describe('Claims the client must have; a list means: every one of them. /a/b is b within a'),
  forward: z
    .record(headerName, z.string().min(1))
    .prefault({})
    .describe("Header: claim. /a/b is b within a. The client's own are dropped"),
  onExpiry: z
    .enum(['close', 'ignore'])
    .default('close')
    .describe('What happens to an open WebSocket at `exp`'),
  forwardToken: z.boolean().default(false).describe('Pass the token on to the upstream'),
});

export type Wanted = z.output<typeof wantedClaims>;
