import type { Message } from '../../bridge/poll/profile.ts';
import type { Exchange, Scene } from '../../bridge/poll/recorder.ts';
import type { HttpAnswer, HttpRequest } from '../../upstream/client.ts';

/** A rehearsed session in lines for a person. Whatever comes from the service is clipped, and of one line. */

const BODY_CHARACTERS = 200;
const MESSAGE_CHARACTERS = 80;
/** What is cut off need not be looked at; a character may be many bytes. */
const LOOKED_AT = 8 * BODY_CHARACTERS;
const INDENT = ' '.repeat(9);

/** Writes what happened in scenes, and what would come next. */
export class SceneWriter {
  readonly #prefix: string;
  readonly #hidden: (text: string) => string;

  /** `prefix` stands before every path; `hidden` makes of a text one that may be shown. */
  constructor(prefix: string, hidden: (text: string) => string) {
    this.#prefix = prefix;
    this.#hidden = hidden;
  }

  lines(scene: Scene): string[] {
    const asked = scene.exchanges.flatMap(({ request, answer, ms }) => {
      const line = `  ${scene.name.padEnd(7)}${this.#request(request)}`;
      return answer === undefined ? [line] : [line, INDENT + this.#answer(answer, ms)];
    });
    return [...asked, ...this.#meaning(scene).map((line) => INDENT + line)];
  }

  #meaning(scene: Scene): string[] {
    if (scene.name === 'close') return [];
    if (scene.heldMs !== undefined) return [heldText(scene.name, scene.heldMs)];
    return [...this.#messages(scene), ...this.#receipts(scene), ...this.#end(scene), ...this.#next(scene)];
  }

  /** What would have been said of messages that somebody has. */
  #receipts({ batches }: Scene): string[] {
    return batches.flatMap(({ receipt }) => {
      if (receipt === undefined) return [];
      const { request } = receipt;
      const body = this.#shown(String(request.body ?? ''), BODY_CHARACTERS);
      return `not confirmed, so that it comes again, by ${this.#request(request)}: ${body}`;
    });
  }

  #messages({ name, batches, error }: Scene): string[] {
    const messages = batches.flatMap((batch) => batch.messages);
    const [first] = messages;
    if (first !== undefined) {
      const count = messages.length === 1 ? 'one message' : `${messages.length} messages, the first`;
      return [`${count}: ${this.#message(first)}`];
    }
    return name === 'open' || error !== undefined || batches.length === 0 ? [] : ['no message'];
  }

  #message({ data, binary }: Message): string {
    return binary ? `${data.length} bytes` : this.#shown(String(data), MESSAGE_CHARACTERS);
  }

  #end({ end }: Scene): string[] {
    if (end === undefined) return [];
    return [
      `the service ends the session: ${end.code} ${this.#shown(end.reason, MESSAGE_CHARACTERS)}`.trim(),
    ];
  }

  #next({ name, batches, exchanges, next, pauseMs, error }: Scene): string[] {
    const first = exchanges[0]?.request;
    if (name !== 'poll' || next === undefined || first === undefined || error !== undefined) return [];
    const when = pauseMs === 0 ? 'at once' : `in about ${secondsOf(pauseMs)}`;
    return [`${cursorText(batches)}the next poll ${when}: ${this.#request(next, first)}`];
  }

  /** Of a query, and of headers, only what has changed is told: the rest may be secret. */
  #request({ method, path, headers, body = '' }: HttpRequest, before?: HttpRequest): string {
    const changed = before === undefined ? [] : changedHeaders(headers, before);
    const told = changed.map(([name, value]) => `, ${name}: ${this.#shown(value, MESSAGE_CHARACTERS)}`);
    const isOther = before !== undefined && String(body) !== String(before.body ?? '');
    const place = this.#shown(this.#prefix + maskedPath(path, before?.path) || '/', BODY_CHARACTERS);
    return `${method} ${place}${told.join('')}${isOther ? ', with another body' : ''}`;
  }

  #answer({ status, headers, body }: HttpAnswer, ms: Exchange['ms']): string {
    const type = this.#shown(headers['content-type'] ?? 'no Content-Type', MESSAGE_CHARACTERS);
    const head = `${status} ${type} (${Math.round(ms)} ms)`;
    const text = this.#shown(body.subarray(0, LOOKED_AT).toString(), BODY_CHARACTERS);
    return text === '' ? head : `${head}: ${text}`;
  }

  #shown(text: string, length: number): string {
    // What is cut off first may be the other half of a secret.
    const line = oneLine(this.#hidden(text.slice(0, LOOKED_AT)));
    return line.length > length ? `${line.slice(0, length)}…` : line;
  }
}

function heldText(name: Scene['name'], ms: number): string {
  const gaveUp = `within ${secondsOf(ms)}, then this check gave up`;
  if (name === 'send') return `no answer ${gaveUp}`;
  return `held: nothing came ${gaveUp}; that is well where there is nothing to say`;
}

function cursorText(batches: Scene['batches']): string {
  if (batches.some(({ cursor }) => cursor === 'moved')) return 'the cursor moves; ';
  return batches.some(({ cursor }) => cursor === 'unmoved') ? 'the cursor stays; ' : '';
}

/** The values of parameters that were there before are left out. */
function maskedPath(path: string, before: string = path): string {
  const [place = '', query] = halves(path);
  if (query === undefined) return place;
  const known = new Set(halves(before)[1]?.split('&'));
  const parts = query.split('&').map((part) => (known.has(part) ? part.replace(/=.+/s, '=…') : part));
  return `${place}?${parts.join('&')}`;
}

function halves(path: string): [string, string | undefined] {
  const at = path.indexOf('?');
  return at < 0 ? [path, undefined] : [path.slice(0, at), path.slice(at + 1)];
}

/** Cookies are the service's own. */
function changedHeaders(headers: HttpRequest['headers'], before: HttpRequest): [string, string][] {
  return Object.entries(headers).filter(
    ([name, value]) => before.headers[name] !== value && name !== 'cookie',
  );
}

/** Nothing of a service's may move a terminal's cursor. */
function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Z}\s]+/gu, ' ').trim();
}

function secondsOf(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
