import { onTestFinished } from 'vitest';
import { type IdentityProvider, startIdentityProvider } from './identity.ts';

/** An identity provider with a discovery document and a key set, at places of its own choice. */
export interface Oidc {
  /** Its `iss`. */
  readonly issuer: string;
  readonly provider: IdentityProvider;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** What stands at a path from now on, as text. */
  put(path: string, text: string): void;
  /** Says in its document that the key set is at `path`, and puts it there. */
  publish(path: string, keySet: string): undefined;
}

/** Starts one whose `iss` is a loopback URL with `path`; closed when the test has finished. */
export async function startOidc(path: string): Promise<Oidc> {
  const texts = new Map<string, string>();
  const asked: string[] = [];
  const provider = await startIdentityProvider(({ url = '' }, response) => {
    asked.push(url);
    const text = texts.get(url);
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(text);
  });
  onTestFinished(() => provider.close());
  const { origin } = new URL(provider.url);
  const issuer = `${origin}${path}`;
  const put = (at: string, text: string) => void texts.set(at, text);
  return {
    issuer,
    provider,
    asked,
    put,
    publish(at, keySet) {
      const document = JSON.stringify({
        issuer,
        jwks_uri: `${origin}${at}`,
        response_types_supported: ['code'],
      });
      put(`${path.replace(/\/$/, '')}/.well-known/openid-configuration`, document);
      put(at, keySet);
    },
  };
}
