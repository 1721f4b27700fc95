import { z } from 'zod';
import { headerName, word } from './fields.ts';

/** The configuration of what is changed on the way to an upstream and back. */

/** `host[:port]` as a Host field has it. */
const authority = word('client, upstream or a host name', (text) =>
  /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/i.test(text) ? text.toLowerCase() : undefined,
);

const prefix = word('a path like /app, without a / at its end', (text) =>
  /^(\/[^\s{}*?#/%;\\]+)+$/.test(text) ? text : undefined,
);

const fieldValue = word('a header value of visible characters', (text) =>
  /^[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?$/.test(text) ? text : undefined,
);

const headerChanges = z.strictObject({
  set: z.record(headerName, fieldValue).default({}).describe('Header: value, in place of any that came'),
  remove: z.array(headerName).default([]).describe('Headers to leave out'),
});

/** The keys of an upstream that change requests and answers. */
export const rewriteFields = {
  host: authority
    .optional()
    .describe(
      'The Host it is asked for: the target’s own (upstream), or a fixed name; absent, or client: what the client sent',
    ),
  stripPrefix: prefix
    .optional()
    .describe('Left out at the beginning of the path; the upstream hears of it in X-Forwarded-Prefix'),
  headers: headerChanges.optional().describe('Changes to the headers that the upstream gets'),
  answerHeaders: headerChanges.optional().describe('Changes to the headers of its answers'),
};

export type HeaderChanges = z.output<typeof headerChanges>;
