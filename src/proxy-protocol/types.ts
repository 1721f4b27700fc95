/** The PROXY protocol (haproxy.org, proxy-protocol.txt): whom a connection is for, in front of its bytes. Pure. */

/** Where a connection leads from and to. Addresses as text, IPv4-mapped IPv6 already written as IPv4. */
export interface Ends {
  readonly source: Place;
  readonly destination: Place;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** What begins a header of version 2. */
export const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Types of what may follow the addresses in version 2. */
export const TLV = {
  /** The host name the client asked for. */
  AUTHORITY: 0x02,
  /** At most 128 bytes that name the connection. */
  UNIQUE_ID: 0x05,
  SSL: 0x20,
  /** In the range for private use: the subject of the client's token, in UTF-8. */
  SUBJECT: 0xe0,
} as const;
