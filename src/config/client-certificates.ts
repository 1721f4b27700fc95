import type { Finding } from './problem.ts';
import type { Config } from './schema.ts';
import { places } from './tree.ts';

/** Routes that ask for client certificates, and the listeners that ask clients for theirs: neither does anything without the other. */

/** Routes that nobody could pass. Works on the data as it came. */
export function checkClientCertificates(tree: unknown): Finding[] {
  if (places(tree, 'listeners.*.tls.clientCa').length > 0) return [];
  return places(tree, 'routes.*.auth.certificate').map(({ path }) => ({
    path,
    message: 'nobody can show a certificate: no listener has tls.clientCa',
    hint: 'name there the file with the authorities of your clients',
    atKey: true,
  }));
}

/** What is asked for and then not looked at; who passes where perhaps only some should. */
export function certificateWarnings({ listeners, routes, trustedProxies }: Config): Finding[] {
  const certificates = routes.map(({ auth }) => (auth === 'none' ? undefined : auth.certificate));
  const isUsed = certificates.some((certificate) => certificate !== undefined);
  const idle = listeners.flatMap(({ tls }, index): Finding[] => {
    if (isUsed || tls?.clientCa === undefined || tls.clientAuth !== 'optional') return [];
    return [
      {
        path: ['listeners', index, 'tls', 'clientCa'],
        message: 'clients are asked for certificates, but may do without, and no route looks at them',
        hint: 'give a route auth.certificate, or the listener clientAuth: required',
        atKey: true,
      },
    ];
  });
  const open = certificates.flatMap((certificate, index): Finding[] => {
    if (trustedProxies.length === 0 || certificate === undefined || certificate.subjects !== undefined)
      return [];
    return [
      {
        path: ['routes', index, 'auth', 'certificate'],
        message:
          'a trusted proxy that has a certificate lets all of its clients in: theirs are not seen here',
        hint: 'name the subjects',
        atKey: true,
      },
    ];
  });
  return [...idle, ...open];
}
