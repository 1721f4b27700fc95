import type { Problem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { suggestion } from '../config/suggest.ts';
import { REVOKED_BY, type Revoked, type RevokedBy } from './revocations.ts';

/** A text that lists who is revoked, a line each: `subject alice`, `subject@main alice`, `jti 7b1f`. */

export interface RevocationList {
  readonly revoked: readonly Revoked[];
  /** Of lines that make no sense; none shows what may be a token. */
  readonly problems: readonly Problem[];
}

/** What is meant by whom: the word in front, with the issuer's name perhaps, and all behind it. */
const LINE = /^([^\s@]+)(?:@(\S+))?(?:\s+(.*))?$/;
const COMMENT = '#';
const LONGEST = 1_024;

type Issuers = Config['issuers'];

/** Reads such a text: what makes sense in it holds. Empty lines, and those that begin with #, are passed over. */
export function readRevocationList(text: string, issuers: Issuers): RevocationList {
  const revoked: Revoked[] = [];
  const problems: Problem[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const written = line.trim();
    if (written === '' || written.startsWith(COMMENT)) continue;
    const read = readLine(written, issuers);
    if ('by' in read) revoked.push(read);
    else problems.push({ line: index + 1, column: 1, path: '', ...read });
  }
  return { revoked, problems };
}

function readLine(line: string, issuers: Issuers): Revoked | Pick<Problem, 'message' | 'hint'> {
  const [, word = '', name, value = ''] = LINE.exec(line) ?? [];
  const kind = REVOKED_BY.find((each) => each === word);
  if (kind === undefined) return noKind(word);
  const fault = faultOf(kind, value);
  if (fault !== undefined) return fault;
  const issuer = name === undefined ? undefined : issuerOf(name, issuers);
  if (name !== undefined && issuer === undefined)
    return { message: 'names no issuer of the configuration', hint: suggestion(name, Object.keys(issuers)) };
  return { by: kind, value, issuer };
}

function noKind(word: string): Pick<Problem, 'message' | 'hint'> {
  return { message: `begins with none of ${REVOKED_BY.join(', ')}`, hint: suggestion(word, REVOKED_BY) };
}

function faultOf(kind: RevokedBy, value: string): Pick<Problem, 'message' | 'hint'> | undefined {
  if (value === '') return { message: `says no ${kind}`, hint: `write ${kind}, a space, and which one` };
  if (isToken(value)) return { message: 'is a token', hint: 'write its jti, sid or subject' };
  if (value.length > LONGEST) return { message: `is longer than ${LONGEST} characters` };
  return undefined;
}

/** A JWT, which nobody is to keep, begins so (RFC 7515 §7.1): `{"` in base64url. */
export function isToken(value: string): boolean {
  return /^eyJ[\w-]{16}/.test(value);
}

/** `iss` of an issuer of the configuration, which goes by its name there or by that; undefined if there is none. */
export function issuerOf(name: string, issuers: Issuers): string | undefined {
  return Object.entries(issuers).find(([each, { issuer }]) => each === name || issuer === name)?.[1].issuer;
}
