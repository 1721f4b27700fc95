import { type ParsedConfig, parseConfig } from '../../src/config/load.ts';
import { ConfigError, type Problem } from '../../src/config/problem.ts';

/** A configuration with nothing wrong and nothing to warn of; `route` and `top` are added as they are. */
export function sampleConfig({ route = '', top = '' } = {}): string {
  return `listeners: [{ host: 127.0.0.1, port: 8080 }]
issuers:
  main: { issuer: https://id.example.com/, audience: app, algorithms: [ES256], jwks: https://id.example.com/keys }
${top}
routes:
  - name: chat
    match: { path: /chat }
    auth: { issuer: main }
    upstream: { websocket: ws://127.0.0.1:3000 }
${route}`;
}

/** The problems a configuration is refused for; fails if it is not. */
export function problemsOf(
  text: string,
  env: Record<string, string> = {},
  baseDir?: string,
): readonly Problem[] {
  try {
    parseConfig(text, { file: 'gate.yaml', env, ...(baseDir && { baseDir }) });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** The one problem of a configuration as `line:column path: message; hint`. */
export function problemOf(text: string, env: Record<string, string> = {}, baseDir?: string): string {
  const lines = problemsOf(text, env, baseDir).map(line);
  if (lines.length !== 1) throw new Error(`not one problem but ${lines.length}:\n${lines.join('\n')}`);
  return lines[0] as string;
}

/** Warnings as `path: message`. */
export function warningsOf(text: string, env: Record<string, string> = {}): string[] {
  return parseConfig(text, { env }).warnings.map(({ path, message }) => `${path}: ${message}`);
}

export function parsed(text: string, env: Record<string, string> = {}): ParsedConfig['config'] {
  return parseConfig(text, { env }).config;
}

function line({ line, column, path, message, hint }: Problem): string {
  return `${line}:${column} ${path}: ${message}${hint === undefined ? '' : `; ${hint}`}`;
}
