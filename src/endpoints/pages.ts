import { type Cors, isPreflight } from '../admission/cors.ts';
import { GatewayError } from '../errors.ts';
import type { GatewayRequest } from '../http/request.ts';

/** The pages that may call an endpoint: those of the routes that it is about. */
export interface Pages extends Pick<Cors, 'refusal' | 'readable'> {
  /** The fields of the answer to a preflight. Throws ORIGIN_REFUSED for a page of none of them. */
  preflight(request: GatewayRequest): Readonly<Record<string, string>>;
}

/** Lets the pages of the routes call that `about` finds for a request. */
export function pagesOf(about: (request: GatewayRequest) => readonly { readonly cors: Cors }[]): Pages {
  function merged(
    request: GatewayRequest,
    fieldsOf: (cors: Cors) => Readonly<Record<string, string>>,
  ): Readonly<Record<string, string>> {
    return Object.assign({}, ...about(request).map(({ cors }) => fieldsOf(cors)));
  }
  return {
    refusal: (request, error) => merged(request, (cors) => cors.refusal(request, error)),
    readable: (request) => merged(request, (cors) => cors.readable(request)),
    preflight(request) {
      const allowed = merged(request, (cors) => cors.readable(request));
      if (Object.keys(allowed).length === 0) throw refused(request);
      const asked = request.headers.filter(
        ([name]) => name.toLowerCase() === 'access-control-request-headers',
      );
      return {
        ...allowed,
        'access-control-allow-methods': 'POST',
        ...(asked.length > 0 && {
          'access-control-allow-headers': asked.map(([, value]) => value).join(', '),
        }),
        'access-control-max-age': '600',
        vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
      };
    },
  };
}

/** What an endpoint tells an OPTIONS, besides the methods that it takes. Throws ORIGIN_REFUSED for a page that may not call it. */
export function optionsFields(
  pages: Pages | undefined,
  request: GatewayRequest,
): Readonly<Record<string, string>> {
  if (!isPreflight(request)) return {};
  if (pages === undefined) throw refused(request);
  return pages.preflight(request);
}

function refused({ origin }: GatewayRequest): GatewayError {
  return new GatewayError('ORIGIN_REFUSED', { detail: `origin ${origin}` });
}
