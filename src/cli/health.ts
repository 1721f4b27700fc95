import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { loadConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { type AskedPlace, adminPlace, placeName, portPlace } from './admin-place.ts';
import { CommandError, type Context, EXIT } from './context.ts';

export interface HealthOptions {
  /** Whether it takes new connections, too. */
  readonly ready?: boolean;
  /** Milliseconds for the whole question. */
  readonly timeout: number;
}

/** Where a gateway is asked, and what counts as a good answer. */
interface Question {
  readonly place: AskedPlace;
  readonly secure: boolean;
  readonly method: string;
  readonly path: string;
  readonly isGood: (status: number) => boolean;
  /** An answer in words, behind the URL. */
  readonly words: (status: number, text: string) => string;
}

/** More than any of our answers that says why. */
const MAX_BODY = 1024;

/**
 * Node's parser knows no such method, so the listener itself answers 400, as soon as its event loop gets to it: no route,
 * no service and no line of the log hears of the question, and no fault of theirs is taken for the gateway's.
 */
const OWN_METHOD = 'ALIVE';

/**
 * `sallyport health FILE`: asks the gateway that runs with this configuration whether it is alive, and says so in a line.
 * Throws CommandError, of exit code 1, if it is not, or cannot be asked.
 */
export async function health(context: Context, file: string, options: HealthOptions): Promise<void> {
  const question = questionFor(await load(context, file), options, file);
  const state = options.ready ? 'ready' : 'alive';
  const said = await ask(question, options.timeout).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`not ${state}: ${urlOf(question)}: ${reasonOf(error, options.timeout)}`);
  });
  if (!said.isGood) throw new CommandError(`not ${state}: ${urlOf(question)}${said.text}`);
  context.stdout.write(`${state}: ${urlOf(question)}${said.text}\n`);
}

/** Exit code 2 is nothing that Docker's HEALTHCHECK knows. */
async function load(context: Context, file: string): Promise<Config> {
  try {
    return (await loadConfig(file, context)).config;
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    throw new CommandError(cause.message, EXIT.failure, { cause });
  }
}

function questionFor({ admin, listeners }: Config, { ready }: HealthOptions, file: string): Question {
  if (ready && admin === undefined)
    throw new CommandError(
      `--ready asks the admin listener, and ${file} has none: add admin: { port: 9090 }`,
    );
  if (admin === undefined) return questionForFirst(listeners);
  return {
    place: adminPlace(admin),
    secure: false,
    method: 'GET',
    path: ready ? '/readyz' : '/livez',
    isGood: (status) => status === 200,
    words: (status, text) => `: ${status} ${text}`,
  };
}

function questionForFirst([first]: Config['listeners']): Question {
  if (first === undefined)
    throw new CommandError(
      'nothing to ask: there is neither a listener nor admin: add admin: { port: 9090 }',
    );
  return {
    place: portPlace(first.host, first.port, 'the port of the first listener'),
    secure: first.tls !== undefined,
    method: OWN_METHOD,
    path: '/',
    isGood: () => true,
    words: () => ' answers',
  };
}

function ask(question: Question, timeoutMs: number): Promise<{ isGood: boolean; text: string }> {
  const { place, secure, method, path, isGood, words } = question;
  const common = { ...place, method, path, agent: false, signal: AbortSignal.timeout(timeoutMs) };
  const headers = { host: 'localhost', 'user-agent': 'sallyport-health' };
  // It asks itself, over loopback as a rule: the certificate is for others to judge.
  const tls = { rejectUnauthorized: false, servername: 'localhost', ALPNProtocols: ['http/1.1'] };
  return new Promise((resolve, reject) => {
    const asked = (secure ? secureRequest : request)({ ...common, headers, ...(secure && tls) });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever asks for a certificate is alive.
      if (/_ALERT_/.test(error.code ?? '')) resolve({ isGood: true, text: ' asks for a certificate' });
      else reject(error);
    });
    asked.once('response', (response) => {
      const status = response.statusCode ?? 0;
      textOf(response).then((text) => resolve({ isGood: isGood(status), text: words(status, text) }), reject);
    });
    asked.end();
  });
}

/** Its first line. */
async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY) break;
  }
  return text.split('\n', 1)[0] ?? '';
}

function urlOf({ place, secure, path }: Question): string {
  const scheme = 'socketPath' in place ? '' : `${secure ? 'https' : 'http'}://`;
  return `${scheme}${placeName(place)}${path === '/' ? '' : path}`;
}

function reasonOf({ name, code, message }: NodeJS.ErrnoException, timeoutMs: number): string {
  if (name === 'TimeoutError' || name === 'AbortError') return `no answer within ${timeoutMs} ms`;
  return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'nothing listens there' : message;
}
