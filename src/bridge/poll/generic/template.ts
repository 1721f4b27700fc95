import { escapeSegment } from '../../../http/target.ts';

const PLACEHOLDER = /\{([a-z][a-z0-9_]*)\}/gi;

/** What the placeholders of a path stand for. */
export type Values = Readonly<Record<string, string | undefined>>;

export type Template = (values: Values, captures?: Captures) => string;

/** Segments of the client's path, as sent. */
export type Captures = Readonly<Record<string, string>>;

/**
 * Compiles a path with placeholders such as `/rooms/{room}/events?after={cursor}`. Values are percent-encoded, so
 * that none can add a segment or a parameter; `{query}` alone is put in as it is, being a query already, and of what
 * was captured only what is not escaped yet. A placeholder without a value becomes empty.
 */
export function compileTemplate(template: string): Template {
  return function render(values, captures = {}) {
    return template.replace(PLACEHOLDER, (_, name: string) => {
      if (Object.hasOwn(captures, name)) return escapeSegment(captures[name] ?? '');
      const value = Object.hasOwn(values, name) ? (values[name] ?? '') : '';
      return name === 'query' ? value : encodeURIComponent(value);
    });
  };
}
