import { ProxyHeaderError, readProxyHeader } from '../../proxy-protocol/read.ts';
import { TLV } from '../../proxy-protocol/types.ts';

/** Whom a connection is for, and what has come behind that. */
export interface Introduction {
  /** The subject of the token, as the gateway tells it. */
  readonly name: string;
  readonly rest: Buffer;
}

const HEAD_BYTES = 16;
/** Two addresses and two ports, by the family in the header. */
const ENDS_BYTES: Readonly<Record<number, number>> = { 17: 12, 33: 36 };

/** Reads the PROXY header of version 2 that a connection begins with. Throws ProxyHeaderError where there is none. */
export async function introduction(chunks: AsyncIterator<Buffer>): Promise<Introduction> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) throw new ProxyHeaderError('the connection ended within its header');
    bytes = Buffer.concat([bytes, value]);
    const header = readProxyHeader(bytes);
    if (!header) continue;
    const ends = ENDS_BYTES[bytes[13] as number] ?? 0;
    const values = bytes.subarray(HEAD_BYTES + ends, header.length);
    return { name: subjectIn(values) ?? 'somebody', rest: bytes.subarray(header.length) };
  }
}

function subjectIn(values: Buffer): string | undefined {
  for (let at = 0; at + 3 <= values.length; ) {
    const end = at + 3 + values.readUInt16BE(at + 1);
    if (values[at] === TLV.SUBJECT) return values.toString('utf8', at + 3, end);
    at = end;
  }
  return undefined;
}
