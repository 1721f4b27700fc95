import { typesAt } from './json-schema.ts';
import type { Finding, Path } from './problem.ts';
import { mapTexts } from './tree.ts';

/** `${NAME}`, or `$${…}`, which stands for a literal `${…}`; the brace that should close it may be missing. */
const REFERENCE = /(\$?)\$\{([^}]*)(\}?)/g;

/**
 * A copy of `tree` with every `${NAME}` replaced from `env`. Where a number or true/false belongs, the text becomes
 * one if it looks like one. Names that are not set go to `findings`, in place of which the text stays as it was.
 */
export function expand(
  tree: unknown,
  env: Readonly<Record<string, string | undefined>>,
  findings: Finding[],
): unknown {
  try {
    return mapTexts(tree, replaceReferences);
  } catch {
    findings.push({ path: [], message: 'is nested too deeply' });
    return {};
  }

  function replaceReferences(text: string, path: Path): unknown {
    if (!text.includes('${')) return text;
    const expanded = text.replace(REFERENCE, (whole, dollar: string, name: string, end: string) => {
      if (dollar !== '') return whole.slice(1);
      if (end !== '' && Object.hasOwn(env, name) && env[name] !== undefined) return env[name];
      findings.push({ path, ...missing(name, end) });
      return whole;
    });
    return typesAt(path).includes('string') ? expanded : scalar(expanded);
  }
}

function missing(name: string, end: string): { message: string; hint?: string } {
  if (end !== '' && /^[A-Za-z_]\w*$/.test(name)) return { message: `the environment has no ${name}` };
  return {
    message: `\${${name}${end} names no environment variable`,
    hint: `write \${NAME}, or $\${ for the characters themselves`,
  };
}

function scalar(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
