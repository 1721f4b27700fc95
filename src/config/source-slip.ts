import { suggest } from './suggest.ts';

/** How the places are written where a token may be, by their first words. */
const WRITTEN: Readonly<Record<string, string>> = {
  header: 'header',
  bearer: 'header',
  authorization: 'header',
  basic: 'basic',
  subprotocol: 'subprotocol',
  cookie: 'cookie:NAME',
  query: 'query:NAME',
  ticket: 'ticket',
  message: 'message',
  graphql: 'graphql-ws',
  'graphql-ws': 'graphql-ws',
  'graphql-transport-ws': 'graphql-ws',
  'socket.io': 'socket.io',
  mqtt: 'mqtt',
  stomp: 'stomp',
};

/** What may have been meant by a text that is no place of a token; undefined where nobody knows. */
export function sourceSlip(text: string): string | undefined {
  const [first = '', ...rest] = text.split(':');
  if (first === 'message' && rest.length > 0)
    return 'a JSON pointer begins with /, as in message:/payload/token';
  if (first === 'mqtt' && rest.length > 0) return 'mqtt is the password, mqtt:username the name';
  if (/^header:authorization$/i.test(text))
    return 'Authorization: Bearer is header, Authorization: Basic is basic';
  const meant = suggest(first, Object.keys(WRITTEN));
  return meant === undefined ? undefined : `did you mean ${WRITTEN[meant]}?`;
}
