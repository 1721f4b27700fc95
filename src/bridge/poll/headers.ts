import { POLL_HEADERS, type SessionHeadersConfig } from '../../config/poll/index.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { cgiSpelling, headerClass } from '../../http/header-classes.ts';
import type { AdmittedRequest } from '../../upstream/forward.ts';
import { compileFields } from './template.ts';

/** Besides the fields that no proxy passes on. */
const OURS: ReadonlySet<string> = new Set(POLL_HEADERS);

/** Set by the gateway itself, so true whatever the client sent. */
const TOLD_BY_US = /^(x-forwarded-(for|host|proto|port)|forwarded|x-request-id)$/;

/** Names are in lower case. */
export interface SessionHeaders extends SessionHeadersConfig {
  /** Those that say who the client is, and those that the operator sets. */
  readonly own: readonly string[];
  /** Absent: the target's own. */
  readonly host?: UpstreamConfig['host'];
}

/**
 * Compiles which fields of the handshake go with every request of its session: those of `pass` and `own`, and by which
 * way the client came. Adds those of `add`, filled with what is known of the client, and `x-connection-id`, the same for the whole session.
 */
export function compileHeaders({
  pass,
  add,
  own,
  host,
}: SessionHeaders): (request: AdmittedRequest) => Record<string, string> {
  const added = new Set(Object.keys(add).map(cgiSpelling));
  const isOpen = (name: string) => !OURS.has(name) && isEndToEnd(name) && !added.has(cgiSpelling(name));
  const passed = new Set([...pass, ...own].filter(isOpen));
  const fieldsFor = compileFields(add);
  return function sessionHeaders(request) {
    const headers: Record<string, string> = {
      'accept-encoding': 'identity',
      'x-connection-id': request.connectionId,
    };
    if (host !== undefined && host !== 'upstream')
      headers.host = host === 'client' ? request.authority : host;
    for (const [field, value] of request.upstreamHeaders) {
      const name = field.toLowerCase();
      if (passed.has(name) || TOLD_BY_US.test(name)) headers[name] = joined(name, headers, value);
    }
    return { ...headers, ...fieldsFor({ request }) };
  };
}

/** What only trusted proxies may say of the client has been dropped where others said it. */
function isEndToEnd(name: string): boolean {
  const kind = headerClass(name);
  return kind === undefined || kind === 'identity';
}

/** Fields of one name in one (RFC 9110 §5.3); cookies have a separator of their own (RFC 9113 §8.2.3). */
function joined(name: string, fields: Readonly<Record<string, string>>, value: string): string {
  if (!Object.hasOwn(fields, name)) return value;
  return `${fields[name]}${name === 'cookie' ? '; ' : ', '}${value}`;
}
