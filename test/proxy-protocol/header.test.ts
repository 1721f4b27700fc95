import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxyHeaderError, readProxyHeader } from '../../src/proxy-protocol/read.ts';
import { type Ends, SIGNATURE } from '../../src/proxy-protocol/types.ts';
import { writeLocal, writeVersion1, writeVersion2 } from '../../src/proxy-protocol/write.ts';

const IPV4: Ends = {
  source: { address: '192.0.2.1', port: 4711 },
  destination: { address: '198.51.100.2', port: 443 },
};
const IPV6: Ends = {
  source: { address: '2001:db8::1', port: 65_535 },
  destination: { address: '2001:db8::2', port: 0 },
};
const MIXED: Ends = { source: IPV6.source, destination: IPV4.destination };

/** A header of version 2 from its parts: command, family, and what follows. */
function block(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.from([command, family, length >> 8, length & 0xff]), rest]);
}

describe('what is written', () => {
  test('is a line in version 1', () => {
    expect(String(writeVersion1(IPV4))).toBe('PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n');
    expect(String(writeVersion1(IPV6))).toBe('PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n');
    expect(String(writeVersion1(MIXED))).toBe('PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 65535 443\r\n');
  });

  test('is binary in version 2, with what is known of the client', () => {
    const facts = { authority: 'db.example', uniqueId: 'k3', subject: 'ann' };
    expect(writeVersion2(IPV4, facts).toString('hex')).toBe(
      '0d0a0d0a000d0a515549540a' +
        '2111' +
        '0024' +
        'c0000201c6336402126701bb' +
        '02000a64622e6578616d706c65' +
        '0500026b33' +
        'e00003616e6e',
    );
    expect(writeVersion2(IPV4, {})).toHaveLength(16 + 12);
    expect(writeVersion2(IPV6, {})).toHaveLength(16 + 36);
  });

  test('leaves out a value that is too long, whole', () => {
    expect(writeVersion2(IPV4, { uniqueId: 'x'.repeat(129) })).toHaveLength(16 + 12);
    expect(writeVersion2(IPV4, { subject: 'x'.repeat(1_025) })).toHaveLength(16 + 12);
  });
});

describe('what is read', () => {
  test.each([
    ['version 1', writeVersion1(IPV4), IPV4],
    ['version 1 with IPv6', writeVersion1(IPV6), IPV6],
    ['version 2', writeVersion2(IPV4, { subject: 'ann' }), IPV4],
    ['version 2 with IPv6', writeVersion2(IPV6, { authority: 'db' }), IPV6],
    ['two families', writeVersion2(MIXED, {}), MIXED],
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN ffff::1 x y z\r\n'), undefined],
    ['LOCAL', block(0x20, 0x11, Buffer.alloc(12)), undefined],
    ['a unix socket', block(0x21, 0x31, Buffer.alloc(216)), undefined],
    ['our own of version 1', writeLocal('v1'), undefined],
    ['our own of version 2', writeLocal('v2'), undefined],
    ['UNSPEC', block(0x21, 0, Buffer.alloc(0)), undefined],
  ])('%s, once it is there as a whole, and no byte more', (_, header, ends) => {
    for (let length = 0; length < header.length; length++)
      expect(readProxyHeader(header.subarray(0, length))).toBeUndefined();
    const read = readProxyHeader(Buffer.concat([header, Buffer.from('GET / HTTP/1.1')]));
    expect(read).toEqual({ length: header.length, ends, secure: false });
  });

  test.each([
    [true, Buffer.from('04000201012000050100000000', 'hex')],
    [false, Buffer.from('2000050000000000', 'hex')],
    [false, Buffer.from('0100026832', 'hex')],
  ])('TLS towards the proxy: %s', (secure, values) => {
    const addresses = writeVersion2(IPV4, {}).subarray(16);
    expect(readProxyHeader(block(0x21, 0x11, Buffer.concat([addresses, values])))?.secure).toBe(secure);
  });

  test.each([
    ['a request', 'GET / HTTP/1.1\r\n\r\n'],
    ['TLS', '\x16\x03\x01'],
    ['another word', 'PROXIES '],
    ['no family', 'PROXY \r\n'],
    ['another family', 'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n'],
    ['an address of another family', 'PROXY TCP4 ::1 1.2.3.4 1 2\r\n'],
    ['an address with a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
    ['a zone with a dot in it', 'PROXY TCP6 fe80::1%eth0.7 ::1 1 2\r\n'],
    ['a name', 'PROXY TCP4 localhost 1.2.3.4 1 2\r\n'],
    ['an octal address', 'PROXY TCP4 010.2.3.4 1.2.3.4 1 2\r\n'],
    ['a port that is too large', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n'],
    ['a port with a zero before it', 'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n'],
    ['no ports', 'PROXY TCP4 1.2.3.4 1.2.3.4\r\n'],
    ['more words', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n'],
    ['two spaces', 'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n'],
    ['a line without an end', `PROXY UNKNOWN ${'x'.repeat(93)}`],
    ['a line that is too long', `PROXY UNKNOWN ${'x'.repeat(93)}\r\n`],
    ['version 1 in version 2', block(0x11, 0x11, Buffer.alloc(12))],
    ['an unknown command', block(0x22, 0x11, Buffer.alloc(12))],
    ['a block that is too long', block(0x21, 0x11, Buffer.alloc(0), 16_385)],
    ['addresses cut short', block(0x21, 0x21, Buffer.alloc(35))],
    ['a value cut short', block(0x21, 0x11, Buffer.concat([Buffer.alloc(12), Buffer.from([4, 0, 2, 0])]))],
  ])('%s is refused', (_, bytes) => {
    expect(() => readProxyHeader(Buffer.from(bytes as string, 'latin1'))).toThrow(ProxyHeaderError);
  });

  test('whatever comes gives a header within it, asks for more, or is refused', () => {
    const start = fc.constantFrom(Buffer.alloc(0), SIGNATURE, Buffer.from('PROXY TCP4 '));
    const piece = fc.constantFrom('::', '1', '.', '%', '%a.b', '%a-b', 'fe80::1', '1.2.3.4', ' ', 'ffff', '');
    const address = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));
    const line = fc
      .tuple(fc.constantFrom('TCP4', 'TCP6'), address, address)
      .map((words) => Buffer.from(`PROXY ${words.join(' ')} 1 2\r\n`));
    const anything = fc.tuple(start, fc.oneof(fc.uint8Array({ maxLength: 120 }), line));
    fc.assert(
      fc.property(anything, ([begin, rest]) => {
        const bytes = Buffer.concat([begin, rest]);
        try {
          expect(readProxyHeader(bytes)?.length ?? 0).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyHeaderError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
