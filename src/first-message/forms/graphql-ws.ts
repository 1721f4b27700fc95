import { type Form, missing } from './form.ts';
import { parseExactly, takeOutOf } from './json.ts';

/** Where clients put it, as their guides have them do. */
const USUAL = ['token', 'authorization', 'Authorization'];

/**
 * The `connection_init` of GraphQL over WebSocket: of graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md), and of
 * graphql-ws, as subscriptions-transport-ws speaks it. The token is `name` of its payload, the client's `connectionParams`.
 */
export function createGraphqlForm(name: string): Form {
  const places = (name === '' ? USUAL : [name]).map((member) => ['payload', member]);
  return {
    isStream: false,
    isBinary: false,
    read(bytes) {
      const message = parseExactly(bytes.toString('utf8'));
      if (!isInit(message)) throw missing('is no connection_init');
      const { tokens, text } = takeOutOf(message, places);
      return { tokens, bare: Buffer.from(text) };
    },
  };
}

function isInit(message: unknown): boolean {
  return (
    typeof message === 'object' && message !== null && 'type' in message && message.type === 'connection_init'
  );
}
