/** Looks at what a service says as it comes, and may change it in place. */
export type Overhear = (chunk: Buffer) => void;

const NEGOTIATE_PROTOCOL_VERSION = 0x76;
const AUTHENTICATION = 0x52;
const SASL = 10;
/** Type, length and the code of AUTHENTICATION. */
const HEAD_BYTES = 9;
const BOUND = 'SCRAM-SHA-256-PLUS';
/** As long, and known to nobody. */
const UNKNOWN = 'SCRAM-SHA-256-NONE';

/**
 * PostgreSQL over TLS offers SCRAM bound to its TLS connection (RFC 5929), which the client of a gateway does not have: libpq, and psql with it,
 * gives up where it is offered that in plain text. So the offer, the first thing it says that matters, is made one that nobody takes; the
 * other one, SCRAM-SHA-256, stands beside it. For one connection.
 */
export function hidingChannelBinding(): Overhear {
  let isOver = false;
  return function overhear(chunk) {
    for (let at = 0; !isOver && at + HEAD_BYTES <= chunk.length; ) {
      const end = at + 1 + chunk.readUInt32BE(at + 1);
      const isFirst = chunk[at] !== NEGOTIATE_PROTOCOL_VERSION;
      isOver = isFirst || end > chunk.length;
      if (chunk[at] === AUTHENTICATION && chunk.readUInt32BE(at + 5) === SASL)
        hide(chunk.subarray(at + HEAD_BYTES, end));
      at = end;
    }
  };
}

function hide(mechanisms: Buffer): void {
  const at = mechanisms.indexOf(`${BOUND}\0`, 0, 'latin1');
  if (at >= 0) mechanisms.write(UNKNOWN, at, 'latin1');
}
