import { withoutParameters } from '../http/query.ts';

/** A text this short may stand anywhere by chance, and a secret this short is none. */
const MIN_LENGTH = 8;

/**
 * Keeps credentials out of what upstreams answer: of a Location that repeats one in its query the parameter is left out,
 * of the other fields and refusals whatever holds one. It looks for them letter by letter, and not into the bodies of plain
 * answers and into messages: what a service makes of its clients' keys is its own business.
 */
export class Concealment {
  readonly #parameters: readonly string[];
  #secrets: ReadonlySet<string> = new Set();
  #pattern: RegExp | undefined;

  /** `parameters` are the names under which credentials stand in queries. */
  constructor(parameters: readonly string[]) {
    this.#parameters = parameters;
  }

  /** From now on these are secret, and nothing else is. */
  hide(secrets: readonly string[]): void {
    this.#secrets = new Set(secrets);
    const forms = secrets.filter(({ length }) => length >= MIN_LENGTH).flatMap(formsOf);
    this.#pattern = forms.length === 0 ? undefined : new RegExp(forms.map(asPattern).join('|'));
  }

  /** Whether a text tells a secret. */
  isIn(text: string): boolean {
    return this.#pattern?.test(text) ?? false;
  }

  /** The body of a refusal; nothing of one that tells a secret. */
  body(bytes: Buffer): Buffer {
    return this.isIn(bytes.toString('latin1')) ? bytes.subarray(0, 0) : bytes;
  }

  /** The fields that may be told of these; both alternate names and values. */
  fields(raw: readonly string[]): string[] {
    const kept: string[] = [];
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at] as string;
      const value = this.#isPlace(name) ? this.#place(raw[at + 1] as string) : (raw[at + 1] as string);
      if (!this.isIn(value)) kept.push(name, value);
    }
    return kept;
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

/** As it is, and as it stands in a URL. */
function formsOf(secret: string): string[] {
  return [...new Set([secret, encodeURIComponent(secret)])];
}

function asPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
