import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http';
import { splitList } from '../http/fields.ts';
import { withoutParameters } from '../http/query.ts';
import { base64sOf, fold, readingsOf, withoutCutEscape } from './escapes.ts';

/** A text this short may stand anywhere by chance, and a secret this short is none. */
const MIN_LENGTH = 8;

const NOTHING = Buffer.alloc(0);

/**
 * Keeps credentials out of what upstreams answer: of a Location that repeats one in its query the parameter is left out,
 * of the other fields, reason phrases and refusals whatever holds one, escaped or not. It does not look into the bodies of
 * plain answers and into messages: what a service makes of its clients' keys is its own business.
 */
export class Concealment {
  readonly #parameters: readonly string[];
  #secrets: ReadonlySet<string> = new Set();
  /** What the secrets may stand as, folded. */
  #forms: readonly string[] = [];

  /** `parameters` are the names under which credentials stand in queries. */
  constructor(parameters: readonly string[]) {
    this.#parameters = parameters;
  }

  /** From now on these are secret, and nothing else is. */
  hide(secrets: readonly string[]): void {
    this.#secrets = new Set(secrets);
    const forms = secrets.filter(isLong).flatMap(formsOf).filter(isLong);
    this.#forms = [...new Set(forms)];
  }

  /** Whether a text tells a secret. */
  isIn(text: string): boolean {
    if (this.#forms.length === 0) return false;
    return readingsOf(text)
      .map(fold)
      .some((reading) => this.#forms.some((form) => reading.includes(form)));
  }

  /** The reason phrase of an answer, or the usual one for one that tells a secret. */
  reason(status: number, phrase: string): string {
    return this.isIn(phrase) ? (STATUS_CODES[status] ?? '') : phrase;
  }

  /** The body of a refusal with these fields; nothing of one that tells a secret, or that cannot be looked into. */
  body(bytes: Buffer, headers: IncomingHttpHeaders): Buffer {
    if (isCoded(headers)) return NOTHING;
    const text = bytes.toString('latin1');
    return this.isIn(text) || this.#isCutWithin(text) ? NOTHING : bytes;
  }

  /** The fields that may be told of these; both alternate names and values. */
  fields(raw: readonly string[]): string[] {
    const kept: string[] = [];
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at] as string;
      const value = this.#isPlace(name) ? this.#place(raw[at + 1] as string) : (raw[at + 1] as string);
      if (!this.isIn(`${name}\n${value}`)) kept.push(name, value);
    }
    return kept;
  }

  /** Whether a text ends with the beginning of a secret. */
  #isCutWithin(text: string): boolean {
    const ends = readingsOf(text).map((reading) => fold(withoutCutEscape(reading)));
    return ends.some((end) => this.#forms.some((form) => endsWithin(end, form)));
  }

  #isPlace(name: string): boolean {
    return this.#parameters.length > 0 && /^(?:content-)?location$/i.test(name);
  }

  #place(location: string): string {
    const [, path = '', query, fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(location) ?? [];
    if (query === undefined) return location;
    const rest = withoutParameters(query, (parameter) => this.#isOurs(parameter));
    return path + (rest === undefined ? '' : `?${rest}`) + fragment;
  }

  #isOurs(parameter: URLSearchParams): boolean {
    return this.#parameters.some((name) => {
      const value = parameter.get(name);
      return value !== null && (this.isIn(value) || this.#secrets.has(value));
    });
  }
}

function isLong({ length }: string): boolean {
  return length >= MIN_LENGTH;
}

/** It may look escaped itself. */
function formsOf(secret: string): string[] {
  return [...readingsOf(secret), ...base64sOf(secret)].map(fold);
}

/** Whether a text ends with a part of another one, from its beginning and of some length. */
function endsWithin(text: string, form: string): boolean {
  const head = form.slice(0, MIN_LENGTH);
  let at = text.indexOf(head, text.length - form.length);
  while (at !== -1 && !form.startsWith(text.slice(at))) at = text.indexOf(head, at + 1);
  return at !== -1;
}

/** Whether a body is not what it says: of its transfer Node undoes chunks alone. */
function isCoded(headers: IncomingHttpHeaders): boolean {
  const { 'content-encoding': content = 'identity', 'transfer-encoding': transfer = 'identity' } = headers;
  return splitList([content, transfer]).some((coding) => !/^(?:identity|chunked)?$/i.test(coding));
}
