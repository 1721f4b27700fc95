import { AuthService, type ExternalConfig, isRefusal } from '../../admission/external/service.ts';
import type { Config } from '../../config/schema.ts';
import type { Trial } from './trial.ts';

/** The services that are asked about clients, each route's once: as when serving, for a client that brings nothing. */
export function externalTrials({ routes }: Pick<Config, 'routes'>): Trial[] {
  return routes.flatMap(({ name, auth }) => {
    const external = auth === 'none' ? undefined : auth.external;
    if (external === undefined) return [];
    return [
      {
        target: placeOf(external),
        of: `route ${name}, auth.external`,
        run: (signal) => ask(external, signal),
      },
    ];
  });
}

/** Without its query, which may carry a key. */
function placeOf({ url }: ExternalConfig): string {
  return url.replace(/\?.*$/s, '');
}

async function ask(external: ExternalConfig, signal: AbortSignal): Promise<string> {
  const service = new AuthService(external);
  const close = () => void service.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    const { status } = await service.ask([], '');
    const isTaken = isRefusal(status) || (status >= 200 && status <= 299);
    return isTaken ? `answers ${status}` : `answers ${status}, for which clients get 503`;
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown;
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}
