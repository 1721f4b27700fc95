import { z } from 'zod';
import { wantedClaims } from './auth.ts';
import { headerName, oneOrMany } from './fields.ts';
import { type CredentialPlace, credentialFault, Secret } from './secret.ts';

/** The configuration of the gateway's own credentials at an upstream, which no client gets to see. */

const FILE = /^file:(.+)$/s;

const shape = z.strictObject({
  header: headerName.optional().describe('In this header, in place of the client’s; absent: not there'),
  query: z
    .string()
    .regex(/^[!-~]+$/, 'expected the name of a parameter')
    .optional()
    .describe('As this parameter of the query, in place of the client’s; absent: not there'),
  subprotocol: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Behind this text in a subprotocol that is offered last, in place of the client’s that begin with it; absent: not there',
    ),
  prefix: z.string().default('').describe('header, query: stands before the value, such as "Bearer "'),
  value: z
    .string()
    .min(1)
    .transform((text): CredentialValue => {
      const file = FILE.exec(text)?.[1];
      return file === undefined ? new Secret(text) : { file };
    })
    .describe(`The secret: \${NAME} from the environment, or file:PATH, which is read again when it changes`),
  when: wantedClaims
    .optional()
    .describe(
      'Only for clients with these claims, as in auth.require; the first of the list that fits is taken for each place, and where none fits nothing is sent; absent: for all',
    ),
});

/** The file with the secret, or the secret itself, which the configuration does not show. */
export type CredentialValue = { readonly file: string } | Secret;

type Shape = z.output<typeof shape>;
type Context = z.core.$RefinementCtx;

const PLACES: readonly CredentialPlace[] = ['header', 'query', 'subprotocol'];

export const credentials = oneOrMany(shape.superRefine(credentialRules));

export type CredentialConfig = Shape;

/** Where a credential stands: by which name in a header or in the query, or behind which text in a subprotocol. */
export function placeOf(credential: Pick<Shape, CredentialPlace>): {
  readonly place: CredentialPlace;
  readonly name: string;
} {
  const place = PLACES.find((each) => credential[each] !== undefined) ?? 'header';
  return { place, name: credential[place] ?? '' };
}

/** One place each, and a value that may stand there. */
function credentialRules(credential: Shape, context: Context): void {
  const complain = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message, continue: false });
  const given = PLACES.filter((place) => credential[place] !== undefined);
  if (given.length !== 1) {
    const found = given.join(' and ') || 'none';
    complain([], `a credential has exactly one of header, query, subprotocol; this one has ${found}`);
    return;
  }
  const { place, name } = placeOf(credential);
  const { prefix, value } = credential;
  if (place === 'subprotocol' && prefix !== '')
    complain(['prefix'], 'has no effect: `subprotocol` says what stands before the value');
  // Of a file nothing is known yet.
  const text = value instanceof Secret ? value.reveal() : 'x';
  const lead = place === 'subprotocol' ? name : prefix;
  const fault = credentialFault(text, place);
  if (fault !== undefined) complain(['value'], fault);
  else if (credentialFault(`${lead}${text}`, place) !== undefined)
    complain([place === 'subprotocol' ? 'subprotocol' : 'prefix'], `is not what a ${place} may begin with`);
}
