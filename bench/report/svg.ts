/** The few SVG elements that the chart is made of, as text. Lengths are pixels. */

const SANS = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';

export interface TextStyle {
  readonly size?: number;
  readonly fill?: string;
  readonly bold?: boolean;
  readonly mono?: boolean;
  readonly anchor?: 'start' | 'end';
}

/** A document of the given size on white with a border of its own, so that it can be read on any page. */
export function svgDocument(
  width: number,
  height: number,
  title: string,
  content: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6" fill="#ffffff" stroke="#d0d7de"/>`,
    ...content,
    '</svg>\n',
  ].join('\n');
}

/** A line of text whose baseline is at `y`. */
export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { size = 11, fill = '#1f2328', bold = false, mono = false, anchor = 'start' } = style;
  const attributes = [
    `x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"`,
    `font-family="${mono ? MONO : SANS}"${bold ? ' font-weight="600"' : ''} xml:space="preserve"`,
  ];
  return `<text ${attributes.join(' ')}>${escaped(words)}</text>`;
}

export function rectangle(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;
}

/** A line; `dash` as SVG's stroke-dasharray. */
export function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  stroke: string,
  { width = 1.5, dash = '' } = {},
): string {
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`;
  const points = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`;
  return `<line ${points} stroke="${stroke}" stroke-width="${width}"${dashes}/>`;
}

/** Breaks words into lines of at most `columns` characters; a longer word stands alone. */
export function wrap(words: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(words: string): string {
  return words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
