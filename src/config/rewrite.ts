import { z } from 'zod';
import { cgiSpelling, headerClass } from '../http/header-classes.ts';
import { headerName, word } from './fields.ts';

/** The configuration of what is changed on the way to an upstream and back. */

/** `host[:port]` as a Host field has it. */
const authority = word('client, upstream or a host name', (text) =>
  /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/i.test(text) ? text.toLowerCase() : undefined,
);

const prefix = word('a path like /app, without a / at its end', (text) =>
  /^(\/[^\s{}*?#/%;\\]+)+$/.test(text) ? text : undefined,
);

const FIELD_VALUE = 'a header value of visible characters';
/** What is no text is not called a wrong value: it is one that YAML has taken for a number or so. */
const fieldValue = z
  .string()
  .refine(
    (text) => /^[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?$/.test(text),
    `expected ${FIELD_VALUE}`,
  )
  .meta({ description: FIELD_VALUE });

const headerChanges = z.strictObject({
  set: z.record(headerName, fieldValue).prefault({}).describe('Header: value, in place of any that came'),
  remove: z.array(headerName).prefault([]).describe('Headers to leave out'),
});

/** The keys of an upstream that change requests and answers. */
export const rewriteFields = {
  host: authority
    .optional()
    .describe(
      'The Host it is asked for: the target’s own (upstream), a fixed name, or what the client sent (client); absent: client',
    ),
  stripPrefix: prefix
    .optional()
    .describe(
      'Left out at the beginning of the path; the upstream hears of it in X-Forwarded-Prefix; absent: nothing',
    ),
  headers: headerChanges.optional().describe('Changes to the headers that the upstream gets; absent: none'),
  answerHeaders: headerChanges
    .optional()
    .describe('Changes to the headers of its answers, refused handshakes and 101s among them; absent: none'),
};

export type HeaderChanges = z.output<typeof headerChanges>;

interface RewriteShape {
  readonly headers?: HeaderChanges | undefined;
  readonly answerHeaders?: HeaderChanges | undefined;
}

type Complain = (path: PropertyKey[], message: string) => void;

/** Changes that cannot be made, or say two things of one header. `claims` are the headers that `auth.forward` sets. */
export function rewriteRules(
  { headers, answerHeaders }: RewriteShape,
  claims: readonly string[],
  complain: Complain,
): void {
  if (headers !== undefined) {
    changeRules(headers, 'headers', complain);
    for (const [path, name] of namesOf(headers)) {
      if (claims.map(cgiSpelling).includes(cgiSpelling(name)))
        complain(['headers', ...path], 'this header carries a claim, by auth.forward');
    }
  }
  if (answerHeaders !== undefined) changeRules(answerHeaders, 'answerHeaders', complain);
}

function changeRules(changes: HeaderChanges, key: keyof RewriteShape, complain: Complain): void {
  const names = namesOf(changes);
  if (names.length === 0) complain([key], 'has no effect: it neither sets nor removes a header');
  for (const [path, name] of names) {
    const reason = fixedBecause(cgiSpelling(name), key);
    if (reason !== undefined) complain([key, ...path], reason);
  }
  for (const [index, name] of changes.remove.entries()) {
    if (changes.set[name] !== undefined)
      complain([key, 'remove', index], 'has no effect: it is set, and so replaced');
  }
}

function namesOf({ set, remove }: HeaderChanges): [path: PropertyKey[], name: string][] {
  return [
    ...Object.keys(set).map((name): [PropertyKey[], string] => [['set', name], name]),
    ...remove.map((name, index): [PropertyKey[], string] => [['remove', index], name]),
  ];
}

/** Why a header cannot be changed; undefined if it can. */
function fixedBecause(name: string, key: keyof RewriteShape): string | undefined {
  if (name === 'host')
    return key === 'headers' ? 'is changed by the key `host` of the upstream' : 'is no header of answers';
  if (name === 'date' && key === 'answerHeaders') return 'says when the answer was made, and stays as it is';
  switch (headerClass(name)) {
    case 'hop-by-hop':
      return 'belongs to one connection, and is written by whoever holds it';
    case 'framing':
      return 'says how long a body is or whether it is wanted, and is written by whoever sends it';
    case 'handshake':
      return 'belongs to the WebSocket handshake, which the gateway does itself';
    default:
      return undefined;
  }
}
