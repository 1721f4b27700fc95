import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { isTlsAlert } from '../causes.ts';
import { GatewayError } from '../errors.ts';
import { acceptOf } from '../frames/accept.ts';
import { isDeflateAnswer } from '../http/offers.ts';
import type { HeaderField } from '../http/request.ts';
import { lost, readAnswer } from './answer.ts';
import { type AnswerFields, endToEndFields, pairsOf } from './answer-fields.ts';
import type { Concealment } from './concealment.ts';
import { readSwitch, type SwitchHead } from './head.ts';

/** A verified 101 of an upstream, and the socket behind it. */
export interface OpenedUpstream {
  /** Paused. */
  readonly socket: Socket;
  /** Bytes that came behind the 101. */
  readonly head: Buffer;
  readonly protocol: string | undefined;
  /** The upstream's Sec-WebSocket-Extensions: permessage-deflate or nothing. */
  readonly deflate: string | undefined;
  /** What of the 101 the client may see. */
  readonly fields: readonly HeaderField[];
}

/** What we ask of an upstream. */
export interface Offer {
  /** Path and query. */
  readonly target: string;
  /** Host, and end-to-end fields. */
  readonly headers: readonly HeaderField[];
  readonly protocols: readonly string[];
  readonly deflate: string | undefined;
  /** What of the answer the client may see; absent: its end-to-end fields. */
  readonly answerFields?: AnswerFields;
  /** What the body of a refusal must not tell. */
  readonly concealment?: Concealment | undefined;
}

const NOT_A_TARGET = /[^!-~]/;
const NOT_A_LINE = /[^\t -~\u0080-\u00ff]/;
const NOTHING = Buffer.alloc(0);

/**
 * Our own WebSocket handshake with an upstream, with a key of our own: nothing of the client goes through it but what
 * `offer` says, and nothing of the client follows before the answer is verified (RFC 6455 §4.1). Takes the socket over:
 * it is destroyed on any failure.
 *
 * Rejects with RelayedAnswer for an answer that is no 101, UPSTREAM_INVALID for one that is none or wrong,
 * UPSTREAM_LOST for a connection that ends, UPSTREAM_TIMEOUT when `signal` aborts.
 */
export async function openWebSocket(
  socket: Socket,
  offer: Offer,
  signal: AbortSignal,
): Promise<OpenedUpstream> {
  const onAbort = () =>
    socket.destroy(new GatewayError('UPSTREAM_TIMEOUT', { detail: 'no answer to the handshake' }));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) throw new GatewayError('UPSTREAM_TIMEOUT');
    return await shakeHands(socket, offer, signal);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function shakeHands(socket: Socket, offer: Offer, signal: AbortSignal): Promise<OpenedUpstream> {
  const key = newKey();
  socket.write(requestHead(offer, key), 'latin1');
  const { head, bytes } = await firstAnswer(socket);
  const { answerFields = endToEnd, concealment } = offer;
  if (isTlsAlert(bytes))
    throw new GatewayError('UPSTREAM_INVALID', { detail: 'it speaks TLS: write wss://' });
  if (head === 'other') return readAnswer(socket, bytes, { signal, answerFields, concealment });
  const fault = faultOf(head, key);
  if (fault !== undefined) throw new GatewayError('UPSTREAM_INVALID', { detail: fault });
  const choice = choiceOf(head, offer);
  // It depends on what this client offers, so that it says nothing against the upstream's health.
  if (choice !== undefined) throw new GatewayError('UPSTREAM_INVALID', { detail: choice, isAnswer: true });
  return {
    socket,
    // Not an empty view: it would keep the whole chunk in memory for as long as the session lasts.
    head: head.length === bytes.length ? NOTHING : bytes.subarray(head.length),
    protocol: oneOf(head, 'sec-websocket-protocol'),
    deflate: oneOf(head, 'sec-websocket-extensions'),
    fields: pairsOf(answerFields(head.fields.flat(), 101)),
  };
}

function endToEnd(raw: readonly string[], status: number): string[] {
  return endToEndFields({ raw, status, answer: 'handshake' });
}

/** 16 bytes in base64 (RFC 6455 §4.1, item 7). Node draws UUIDs from a supply of random bytes; `randomBytes` asks OpenSSL each time. */
function newKey(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64');
}

/** The request in Latin-1. Throws if a field would not stay one line: it has been checked before, but this is where it counts. */
function requestHead({ target, headers, protocols, deflate }: Offer, key: string): string {
  if (NOT_A_TARGET.test(target)) throw new Error('the target for an upstream holds characters no target has');
  let head = `GET ${target} HTTP/1.1\r\n`;
  function add(name: string, value: string): void {
    if (NOT_A_LINE.test(name) || NOT_A_LINE.test(value))
      throw new Error('a field for an upstream is no line');
    head += `${name}: ${value}\r\n`;
  }
  for (const [name, value] of headers) add(name, value);
  head += 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  add('Sec-WebSocket-Key', key);
  if (protocols.length > 0) add('Sec-WebSocket-Protocol', protocols.join(', '));
  if (deflate !== undefined) add('Sec-WebSocket-Extensions', deflate);
  return `${head}\r\n`;
}

interface FirstAnswer {
  readonly head: SwitchHead | 'other';
  /** All that has been read. */
  readonly bytes: Buffer;
}

/** Waits for the head of an answer and leaves the socket paused behind it. */
function firstAnswer(socket: Socket): Promise<FirstAnswer> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = NOTHING;
    function onData(chunk: Buffer): void {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      try {
        const head = readSwitch(bytes);
        if (head === undefined) return;
        leave();
        resolve({ head, bytes });
      } catch (error) {
        onLost(error);
      }
    }
    function onLost(cause?: unknown): void {
      leave();
      reject(lost(cause));
    }
    const onEnd = () => onLost();
    function leave(): void {
      socket.pause();
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onLost);
    }
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onLost);
  });
}

/** What is wrong with a 101, in words; undefined if nothing is (RFC 6455 §4.1). */
function faultOf(head: SwitchHead, key: string): string | undefined {
  // Interim answers have no content (RFC 9110 §15.2), but some servers say that its length is 0.
  if (oneOf(head, 'transfer-encoding') !== undefined || (oneOf(head, 'content-length') ?? '0') !== '0')
    return 'its 101 has a body';
  if (oneOf(head, 'upgrade')?.toLowerCase() !== 'websocket') return 'its Upgrade is not websocket';
  if (!/(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i.test(oneOf(head, 'connection') ?? ''))
    return 'its Connection does not name upgrade';
  if (oneOf(head, 'sec-websocket-accept') !== acceptOf(key))
    return 'its Sec-WebSocket-Accept does not answer our key';
  return undefined;
}

/** What is wrong with what a 101 chooses, in words; undefined if it was all offered. */
function choiceOf(head: SwitchHead, offer: Offer): string | undefined {
  const protocol = oneOf(head, 'sec-websocket-protocol');
  if (protocol !== undefined && !offer.protocols.includes(protocol))
    return 'it chose a subprotocol nobody offered';
  const extensions = oneOf(head, 'sec-websocket-extensions');
  if (extensions === undefined) return undefined;
  if (offer.deflate === undefined) return 'it chose an extension nobody offered';
  return isDeflateAnswer(extensions, offer.deflate) ? undefined : 'its extensions do not fit the offer';
}

/** Several of one name are one list (RFC 9110 §5.3): a list where one value belongs fits nothing. */
function oneOf({ fields }: SwitchHead, name: string): string | undefined {
  let list: string | undefined;
  for (const [key, value] of fields) {
    if (key.length === name.length && key.toLowerCase() === name)
      list = list === undefined ? value : `${list}, ${value}`;
  }
  return list;
}
