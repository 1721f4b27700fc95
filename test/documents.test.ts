import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ERROR_CODES, type ErrorCode, GatewayError, helpFor } from '../src/errors.ts';

/** What stands in one document and is said, or pointed to, by another. */

const errors = read('config/ERRORS.md');

function read(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
}

test('config/ERRORS.md lists the failures of src/failures.ts (if not: write the row that is missing)', () => {
  const rows = errors.split('\n').filter((line) => /^\| \[[A-Z_]+\]/.test(line));
  const expected = ERROR_CODES.map((code) => {
    const { status, close, message } = new GatewayError(code);
    return `| [${code}](#${anchorOf(code)}) | ${status} | ${close} | ${message} |`;
  });
  expect(rows).toEqual(expected);
});

test.each(ERROR_CODES)('config/ERRORS.md says what %s means, and what to do', (code) => {
  const heading = `### <a id="${anchorOf(code)}"></a>${code}\n`;
  const section = errors.split(heading)[1]?.split(/^#/m)[0] ?? '';
  expect(section.split('\n')[1], `write a section with the heading ${heading}`).toBe(factsOf(code));
  expect(section).toMatch(/\n\n[A-Z][\s\S]*\n\n- \*Client:\* [\s\S]*\n- \*Operator:\* /);
});

/** `**401** · close **3000** · `gateway` · *A token is required.*`, with Retry-After where the client is told it. */
function factsOf(code: ErrorCode): string {
  const { status, close, source, headers, message } = new GatewayError(code);
  const after = headers['retry-after'];
  const facts = [`**${status}**`, `close **${close}**`, `\`${source}\``];
  if (after !== undefined) facts.push(`Retry-After: ${after}`);
  return [...facts, `*${message}*`].join(' · ');
}

function anchorOf(code: ErrorCode): string {
  return helpFor(code).replace('config/ERRORS.md#', '');
}

test.each(globSync('.github/ISSUE_TEMPLATE/*.yml'))('%s is an issue form as GitHub reads it', (file) => {
  const { name, description, body } = parse(read(file));
  expect([typeof name, typeof description]).toEqual(['string', 'string']);
  const fields = body.filter(({ type }: { type: string }) => type !== 'markdown');
  expect(fields.length).toBeGreaterThan(0);
  for (const { type, id, attributes } of fields) {
    expect(['textarea', 'input', 'dropdown', 'checkboxes']).toContain(type);
    expect([id, attributes.label]).toEqual([expect.stringMatching(/^[\w-]+$/), expect.any(String)]);
  }
  const labels = fields.flatMap((field: { id: string; attributes: { label: string } }) => [
    field.id,
    field.attributes.label,
  ]);
  expect(new Set(labels).size).toBe(labels.length);
});

describe('what an idle connection takes', () => {
  const [, kib] = /an idle TLS connection takes (\d+) KiB/.exec(read('bench/README.md')) ?? [];

  test.each([
    ['config/kubernetes.yaml', 'config/kubernetes.yaml', /limits: \{ memory: (\d+)Mi \}/],
    ['config/compose.yaml', 'config/compose/sallyport.yaml', /mem_limit: (\d+)m /],
    ['config/sallyport.service', 'config/sallyport.service', /fits\n# (\d+) GiB/],
  ])('fits %s, whose memory is half for them', (file, configuration, memory) => {
    const text = read(configuration);
    expect(text).toContain(`takes ${kib} KiB`);
    const [, connections] = /limits: \{ connections: (\d+) \}/.exec(text) ?? [];
    const [, given] = memory.exec(read(file)) ?? [];
    const mib = Number(given) * (file.endsWith('.service') ? 1024 : 1);
    const used = (Number(connections) * Number(kib)) / 1024 / mib;
    expect(used).toBeGreaterThan(0.45);
    expect(used).toBeLessThanOrEqual(0.5);
  });
});

test.each(['Dockerfile', 'config/sallyport.service'])('%s starts Node as the guide says', (file) => {
  const [, options] = /`(NODE_OPTIONS=\S+)`/.exec(read('config/guide/operating.md')) ?? [];
  expect(read(file)).toContain(`${options}\n`);
});

const documents = [...globSync('*.md'), ...globSync('{src,config,bench,.github}/**/*.md')];

test.each(documents)('every link in %s leads somewhere', (file) => {
  const links = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  expect(links.filter((link) => !/^https?:/.test(link) && !leadsSomewhere(link, file))).toEqual([]);
});

test.each(documents)('every configuration that %s names is there', (file) => {
  const names = [...withoutCode(read(file)).matchAll(/`(config\/[\w/-]+\.yaml)`/g)];
  const missing = names.filter(([, name]) => !existsSync(name as string));
  expect(missing.map(([, name]) => name)).toEqual([]);
});

function leadsSomewhere(link: string, from: string): boolean {
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? from : join(dirname(from), path);
  if (!existsSync(file)) return false;
  return anchor === undefined || anchorsOf(read(file)).includes(anchor);
}

/** As GitHub makes them of headings; and those that are written out. */
function anchorsOf(text: string): string[] {
  const headings = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map((match) => match[1] as string);
  const slugs = headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
  return [...slugs, ...[...text.matchAll(/<a id="([^"]+)">/g)].map((match) => match[1] as string)];
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}
