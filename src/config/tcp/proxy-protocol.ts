import { z } from 'zod';

/** The configuration of what a TCP service is told of its clients. */
export const proxyProtocol = z
  .enum(['v1', 'v2'], 'expected v1 or v2')
  .optional()
  .describe(
    'tcp: a PROXY header in front of each connection says whom it is for; v2 says the host that was asked for, the connection’s id and the token’s subject too (TLV 0x02, 0x05, 0xE0); absent: none',
  );

export type ProxyProtocol = NonNullable<z.output<typeof proxyProtocol>>;
