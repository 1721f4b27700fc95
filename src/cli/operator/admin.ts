import { type IncomingMessage, request } from 'node:http';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { suggestion } from '../../config/suggest.ts';
import { type AskedPlace, adminPlace, placeName } from '../admin-place.ts';
import { CommandError, type Context } from '../context.ts';
import { printable } from './printable.ts';

/** The whole of an answer may take so long. */
const WITHIN_MS = 10_000;
/** Far more than the largest page has. */
const MOST_CHARACTERS = 32 * 1024 * 1024;

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

/**
 * Reads where it listens, and its secret. Throws CommandError where the configuration names none of it. A `route` that is none of
 * the configuration is warned of only: the gateway that runs may have another one.
 */
export async function openAdminClient(context: Context, file: string, route?: string): Promise<AdminClient> {
  const { config } = await loadConfig(file, context);
  warnOfRoute(context, config, file, route);
  const { place, secret } = placeOf(config, file);
  const name = 'socketPath' in place ? placeName(place) : `http://${placeName(place)}`;
  return {
    async ask(method, path, { query = {}, body } = {}) {
      const sent = body === undefined ? undefined : JSON.stringify(body);
      const asked = { ...place, method, path: `${path}${queryOf(query)}`, headers: headersOf(secret, sent) };
      const { status, text } = await exchange(asked, sent).catch((error) => {
        throw new CommandError(`${name} does not answer: ${reasonOf(error)}`);
      });
      if (status >= 300) throw new CommandError(`${name}${path}: ${status} ${text.trim()}`);
      return text === '' ? undefined : JSON.parse(text);
    },
  };
}

/** Whoever slips would be told that there is nothing, which is what he hopes to hear. */
function warnOfRoute({ stderr }: Context, { routes }: Config, file: string, route: string | undefined): void {
  const names = routes.map(({ name }) => name);
  if (route === undefined || names.includes(route)) return;
  stderr.write(`sallyport: ${file} has no route ${printable(route)}; ${suggestion(route, names)}\n`);
}

function placeOf({ admin }: Config, file: string): { place: AskedPlace; secret: string } {
  const example = 'admin: { port: 9090, secret: file:admin-secret }';
  if (admin?.secret === undefined)
    throw new CommandError(
      `this asks the admin listener, with its secret, and ${file} has none: add ${example}`,
    );
  return { place: adminPlace(admin), secret: admin.secret };
}

/** Whatever place it is asked at, it answers to this machine's own name for itself. */
function headersOf(secret: string, body = ''): Record<string, string> {
  return {
    host: 'localhost',
    authorization: `Bearer ${secret}`,
    'user-agent': 'sallyport',
    'content-length': String(Buffer.byteLength(body)),
  };
}

type Question = AskedPlace & { method: string; path: string; headers: Record<string, string> };

function exchange(asked: Question, body = ''): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(WITHIN_MS);
    request({ ...asked, agent: false, signal }, (response) => {
      textOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    })
      .on('error', reject)
      .end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MOST_CHARACTERS) throw new Error('its answer has no end');
  }
  return text;
}

function queryOf(query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? '' : `?${text}`;
}

function reasonOf({ name, code, message }: NodeJS.ErrnoException): string {
  if (name === 'AbortError') return `nothing came within ${WITHIN_MS / 1000} s`;
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return 'nothing listens there; is the gateway running with this configuration?';
  if (code === 'EACCES') return 'this user may not open it: run it as the user of the gateway';
  return code ?? message;
}
