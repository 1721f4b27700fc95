import type { Finding } from './problem.ts';
import type { Config } from './schema.ts';

/**
 * Routes that take tokens of an issuer whatever they are for, and ask nothing else of them: who may log in to any
 * application of this issuer then comes in (RFC 8725 §3.9).
 */
export function anyAudience({ routes, issuers }: Config): Finding[] {
  return routes.flatMap(({ auth }, index) => {
    if (auth === 'none' || Object.keys(auth.require).length > 0) return [];
    const open = auth.issuer.filter((name) => issuers[name]?.audience.length === 0);
    return open.map((name) => ({
      path: ['routes', index, 'auth'],
      message: `tokens made for other applications of this issuer pass too: ${name} has audience: none`,
      hint: 'require client_id or the like',
    }));
  });
}
