import type { ClientRequest, InformationEvent } from 'node:http';
import type { Order } from './exchange.ts';

/** What an upstream may say before its answer; more is no news but a flood. */
const MAX_INTERIM = 32;

/**
 * Passes interim answers on to the client (RFC 9110 §15.2): 100 where it waits for one, others such as 103 Early Hints to
 * every client of HTTP/1.1. `onFlood` is called when there are too many of them.
 */
export function relayInterim(
  upstream: ClientRequest,
  {
    message,
    response,
    expect,
    answerFields,
    reasonOf,
  }: Pick<Order, 'message' | 'response' | 'expect' | 'answerFields' | 'reasonOf'>,
  onFlood: () => void,
): void {
  let count = 0;
  upstream.on('information', function onInterim(interim: InformationEvent) {
    const { statusCode, rawHeaders } = interim;
    count += 1;
    if (count > MAX_INTERIM) onFlood();
    else if (message.httpVersion === '1.0' || response.headersSent) return;
    else if (statusCode !== 100)
      response.socket?.write(
        head(statusCode, reasonOf(interim), answerFields(rawHeaders, statusCode)),
        'latin1',
      );
    else if (expect !== undefined) response.writeContinue();
  });
}

function head(status: number, reason: string, fields: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let at = 0; at < fields.length; at += 2) text += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return `${text}\r\n`;
}
