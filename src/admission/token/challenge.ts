import { GatewayError } from '../../errors.ts';

/** What RFC 6750 §3.1 has a server say about a token, by the code of the refusal: written out, for refusals come in floods. */
const ANSWERS = {
  TOKEN_MISSING: '',
  TOKEN_INVALID: ', error="invalid_token"',
  TOKEN_EXPIRED: ', error="invalid_token", error_description="The token has expired"',
  TOKEN_REVOKED: ', error="invalid_token", error_description="The token was revoked"',
  TICKET_INVALID: ', error="invalid_token", error_description="The ticket is not valid"',
  FORBIDDEN: ', error="insufficient_scope"',
  BAD_REQUEST: ', error="invalid_request", error_description="More than one token"',
} as const;

interface Details {
  /** Why, for the log only. */
  readonly detail?: string | undefined;
  /** The scopes that would have been enough, separated by spaces. */
  readonly scope?: string;
}

/** The refusal of a token (or of its absence) with its WWW-Authenticate field, which never says more than the code does. */
export function challenge(
  code: keyof typeof ANSWERS,
  realm: string,
  { detail, scope }: Details = {},
): GatewayError {
  const wanted = scope ? `, scope="${quotable(scope)}"` : '';
  const field = `Bearer realm="${quotable(realm)}"${ANSWERS[code]}${wanted}`;
  return new GatewayError(code, { detail, headers: { 'www-authenticate': field } });
}

/** The same refusal where the token may also come as a password (RFC 7617 §2): some clients send none unasked. */
export function alsoBasic(error: GatewayError, realm: string): GatewayError {
  const { code, detail, headers, status } = error;
  const challenges = headers['www-authenticate'];
  if (status !== 401 || challenges === undefined) return error;
  const basic = `Basic realm="${quotable(realm)}", charset="UTF-8"`;
  return new GatewayError(code, {
    detail,
    headers: { ...headers, 'www-authenticate': `${challenges}, ${basic}` },
  });
}

/** RFC 6750 §3: printable ASCII without the quote and the backslash. */
function quotable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '');
}
