import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { CommandError, type Context } from '../context.ts';
import { reachable } from '../health.ts';

/** The whole of an answer may take so long. */
const WITHIN_MS = 10_000;

/** Parameters, and what is sent as JSON. */
interface Asked {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** The admin listener of the gateway that runs with a configuration, as a command asks it. */
export interface AdminClient {
  /** What it answers, read as JSON; undefined where it says nothing. Throws CommandError where it refuses, or does not answer. */
  ask(method: 'GET' | 'DELETE' | 'POST', path: string, what?: Asked): Promise<unknown>;
}

/** Reads where it listens, and its secret. Throws CommandError where the configuration names none of it. */
export async function openAdminClient(context: Context, file: string): Promise<AdminClient> {
  const { config } = await loadConfig(file, context);
  const { url, secret } = placeOf(config, file);
  return {
    async ask(method, path, { query = {}, body } = {}) {
      const asked = `${url}${path}${queryOf(query)}`;
      const headers = { authorization: `Bearer ${secret}`, 'user-agent': 'sallyport' };
      const answer = await fetch(asked, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(WITHIN_MS),
      }).catch((error) => {
        throw new CommandError(`${url} does not answer: ${reasonOf(error)}`);
      });
      const text = await answer.text();
      if (!answer.ok) throw new CommandError(`${url}${path}: ${answer.status} ${text.trim()}`);
      return text === '' ? undefined : JSON.parse(text);
    },
  };
}

function placeOf({ admin }: Config, file: string): { url: string; secret: string } {
  const example = 'admin: { port: 9090, secret: file:admin-secret }';
  if (admin?.secret === undefined)
    throw new CommandError(
      `this asks the admin listener, with its secret, and ${file} has none: add ${example}`,
    );
  if (admin.port === 0)
    throw new CommandError(
      'admin.port is 0, any free one, and only the gateway\u2019s log says which: give it a number',
    );
  const host = reachable(admin.host);
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${admin.port}`, secret: admin.secret };
}

function queryOf(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? '' : `?${text}`;
}

function reasonOf(error: Error & { cause?: { code?: string } }): string {
  if (error.name === 'TimeoutError') return `nothing came within ${WITHIN_MS / 1000} s`;
  if (error.cause?.code === 'ECONNREFUSED')
    return 'nothing listens there; is the gateway running with this configuration?';
  return error.cause?.code ?? error.message;
}
