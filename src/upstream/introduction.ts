import type { AdmittedRequest } from './forward.ts';
import type { Introduction } from './preamble.ts';

/** What a TCP service is told of the client of an upgrade. A client behind trusted proxies has an address, and no port. */
export function introduce(request: AdmittedRequest): Introduction {
  const { ends, clientAddress, host, connectionId, grant } = request;
  const found = ends?.();
  const isPeer = found?.source.address === clientAddress;
  const source = isPeer ? found.source : { address: clientAddress, port: 0 };
  return {
    ends: found && { source, destination: found.destination },
    facts: { authority: host, uniqueId: connectionId, subject: grant.subject },
  };
}
