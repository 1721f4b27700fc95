import { randomBytes } from 'node:crypto';
import { GatewayError } from '../../errors.ts';
import type { UpgradeRequest } from '../../http/request.ts';
import { type Form, type Greeting, missing } from './form.ts';
import { takeOut } from './json.ts';

/** A CONNECT of Socket.IO v5 in a message of Engine.IO: its namespace, unless that is /, and what the client shows. */
const CONNECT = /^40(\/[^,]*,)?(.*)$/s;

/** What services say unless they are told otherwise (github.com/socketio/engine.io-protocol). */
const USUAL = { pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };
type Terms = typeof USUAL;

/**
 * The CONNECT of Socket.IO over the WebSocket transport of Engine.IO v4: the token is `name` of the client's `auth`. It comes once the
 * server has opened the session, so that the gateway does, on the terms of which it has `heard` last.
 */
export function createSocketIoForm(name: string, terms: { last: Terms } = { last: USUAL }): Form {
  return {
    isStream: false,
    isBinary: false,
    unfit,
    greeting: greetingOn(terms),
    read(bytes) {
      const [, namespace = '', auth = ''] = CONNECT.exec(bytes.toString('utf8')) ?? [];
      if (!bytes.toString('latin1').startsWith('40')) throw missing('is no CONNECT of Socket.IO');
      if (auth === '') return { tokens: [], bare: bytes };
      const { tokens, text } = takeOut(auth, [[name === '' ? 'token' : name]]);
      return { tokens, bare: Buffer.from(`40${namespace}${text}`) };
    },
  };
}

/** A session that began with polls has been let in already, or not at all. */
function unfit({ query }: UpgradeRequest): string | undefined {
  const asked = new URLSearchParams(query);
  const isNew = asked.get('EIO') === '4' && asked.get('transport') === 'websocket' && !asked.has('sid');
  return isNew ? undefined : 'only a new session over WebSocket (EIO=4) shows its token in a message';
}

function greetingOn(terms: { last: Terms }): Greeting {
  return {
    say() {
      const sid = randomBytes(15).toString('base64url');
      return `0${JSON.stringify({ sid, upgrades: [], ...terms.last })}`;
    },
    heard(text) {
      terms.last = readTerms(text);
    },
  };
}

/** Of an open packet. Throws UPSTREAM_INVALID. */
function readTerms(packet: string): Terms {
  const said = packet.startsWith('0') ? jsonOf(packet.slice(1)) : undefined;
  if (typeof said !== 'object' || said === null)
    throw new GatewayError('UPSTREAM_INVALID', { detail: 'its first message opens no session of Engine.IO' });
  const numbers = said as Partial<Record<keyof Terms, unknown>>;
  const { pingInterval, pingTimeout, maxPayload } = numbers;
  return {
    pingInterval: positive(pingInterval) ?? USUAL.pingInterval,
    pingTimeout: positive(pingTimeout) ?? USUAL.pingTimeout,
    maxPayload: positive(maxPayload) ?? USUAL.maxPayload,
  };
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
