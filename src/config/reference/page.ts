import type { Example } from './examples.ts';
import { namedForms } from './forms.ts';
import { type Key, topKeys } from './keys.ts';
import { isLarge, type Section, sectionsOf, titleOf } from './sections.ts';
import { block, flow, fullestUse, shortestUse, type Use } from './uses.ts';

/** The text of `config/REFERENCE.md`: every key of the configuration language, with what it means and an example that loads. */
export function referencePage(examples: readonly Example[]): string {
  const sections = sectionsOf(topKeys());
  return [
    INTRODUCTION,
    contents(sections),
    formsTable(),
    ...sections.map((one) => sectionText(one, examples)),
  ].join('\n');
}

const INTRODUCTION = `# Every key of the configuration

<!-- Written by \`npm run schema\`, from the schema in src/config/ and the files in config/examples/. -->

One YAML file. A key that is unknown or would have no effect is an error; \`sallyport check FILE\` says where and what to do, and
[schema.json](schema.json) gives editors completion. \`\${NAME}\` reads the environment, anywhere. Paths of files are taken from the folder of
the configuration. Examples are of files that every build loads.
`;

/** One line for each mapping at the top, with those within it; what has profiles has a line of its own. */
function contents(sections: readonly Section[]): string {
  const lines = sections.map(({ title, depth, key }) => {
    const link = `[${title.replace(/^.* with /, '')}](#${slug(title)})`;
    if (depth > 1) return `${key !== undefined && key.profiles.length > 0 ? '\n  - ' : ' · '}${link}`;
    return `\n- ${link}`;
  });
  return `${lines.join('').trim()}\n`;
}

/** The words that stand for texts of a fixed form. */
function formsTable(): string {
  const rows = namedForms().map(
    ({ name, examples }) => `| ${plain(name)} | ${examples.map(code).join(', ')} |`,
  );
  return `## Forms\n\n| form | like |\n|---|---|\n${rows.join('\n')}\n`;
}

function sectionText({ title, place, depth, key, rows }: Section, examples: readonly Example[]): string {
  const table = ['| key | meaning | default | example |', '|---|---|---|---|'];
  return [
    `${'#'.repeat(Math.min(depth, 2) + 1)} ${title}\n`,
    ...(key === undefined ? [] : [headOf(key, rows, examples)]),
    ...table,
    ...rows.map((row) => rowText(row, place, examples)),
    '',
  ].join('\n');
}

/** Lines that the example of a mapping may have. */
const HEAD_LINES = 14;

/** What a mapping is for, and how it looks. */
function headOf(key: Key, rows: readonly Key[], examples: readonly Example[]): string {
  if (key.profiles.length > 0) return familyText(key);
  const isProfile = key.of !== undefined && key.of.path.length === key.path.length;
  const lines = [isProfile ? profileText(key, rows) : meaningOf(key), ''];
  const use = fullestUse(key, examples, HEAD_LINES);
  if (use === undefined) return lines.join('\n');
  const yaml = block({ [nameOf(key)]: use.value });
  return [...lines, '```yaml', yaml, '```', '', `From ${linkTo(use)}.`, ''].join('\n');
}

function meaningOf(key: Key): string {
  return `${plain(key.meaning)}. ${withoutIt(key)}`.trim();
}

/** Each of its profiles has a table and an example of its own. */
function familyText(key: Key): string {
  const links = key.profiles.map(({ name }) => {
    const title = titleOf({ ...key, of: { profile: name, path: key.path } });
    return `[${code(name)}](#${slug(title)})`;
  });
  return `${meaningOf(key)}\n\nThese keys go with every \`profile\`, which brings its own: ${links.join(' · ')}.\n`;
}

function profileText({ of, ...key }: Key, rows: readonly Key[]): string {
  const when = of?.profile === 'generic' ? 'It need not be said. ' : '';
  const isOther = rows.some(({ place }) => key.keys.some((common) => common.place === place));
  const other = isOther ? '; one that stands there too is as it is here' : '';
  return `${when}Its own keys, beside [those of every profile](#${slug(titleOf(key))})${other}.`;
}

function withoutIt({ fallback }: Key): string {
  if (fallback?.kind === 'required') return '*Required.*';
  return fallback?.kind === 'absent' ? `*Absent: ${plain(fallback.means)}.*` : '';
}

function rowText(key: Key, within: string, examples: readonly Example[]): string {
  const label = key.place.startsWith(`${within}.`) ? key.place.slice(within.length + 1) : key.place;
  const cells = [
    `**\`${label}\`**<br>${plain(key.form)}`,
    plain(key.meaning),
    fallbackText(key),
    exampleText(key, examples),
  ];
  return `| ${cells.join(' | ').replaceAll('\n', ' ')} |`;
}

function fallbackText({ fallback, path, keys }: Key): string {
  if (fallback === undefined) return '';
  if (fallback.kind === 'required') return '*required*';
  if (fallback.kind === 'absent') return plain(fallback.means);
  const text = flow(fallback.value);
  if (text === '{}' && keys.some((inner) => inner.path.length === path.length + 1))
    return 'those of its keys';
  return /^(\{\}|\[\]|"")$/.test(text) ? 'none' : `\`${text}\``;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** As Markdown that shows the text itself; what stands in backticks does already. */
function plain(text = ''): string {
  return text.replace(/`[^`]*`|[*<|]/g, (found) => (found.length > 1 ? found : `\\${found}`));
}

function exampleText(key: Key, examples: readonly Example[]): string {
  if (isLarge(key)) return `[below](#${slug(titleOf(key))})`;
  const use = shortestUse(key, examples);
  if (use === undefined) return key.only === undefined ? '' : `\`${asWritten(key, key.only)}\``;
  return `\`${asWritten(key, use.value)}\` ${linkTo(use)}`;
}

/** On one line: `rate: 10/s`. */
function asWritten(key: Key, value: unknown): string {
  return flow({ [nameOf(key)]: value }).replace(/^\{ (.*) \}$/, '$1');
}

function linkTo({ example }: Use): string {
  return `[${example.replace(/^.*\/|\.yaml$/g, '')}](${example})`;
}

function nameOf({ path }: Key): string {
  return path.at(-1) ?? '';
}

/** The anchor that GitHub gives a heading. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}
