import { z } from 'zod';
import type { Complain } from './common.ts';

/** Which version of HTTP a service is spoken with. */

export const http2 = z
  .enum(['off', 'auto', 'on'])
  .default('off')
  .describe(
    'HTTP/2, with which hundreds of polls share a connection. off: HTTP/1.1; auto: whichever the service chooses through TLS (ALPN); on: HTTP/2 always, also without TLS (prior knowledge)',
  );

interface Spoken {
  readonly target: readonly { readonly url: string }[];
  readonly http2: z.output<typeof http2>;
}

/** ALPN is a part of TLS. */
export function http2Rules({ target, http2 }: Spoken, complain: Complain): void {
  if (http2 === 'auto' && !target.some(({ url }) => url.startsWith('https:')))
    complain(
      ['http2'],
      '`auto` has no effect without an https: target; write `on` for a service that speaks HTTP/2 without TLS',
    );
}
