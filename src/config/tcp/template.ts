import { namesIn, readPlaceholder } from '../placeholders.ts';

/** A target that its clients name, in the configuration: a text with `{placeholders}`. Pure. */

/** What a `{placeholder}` of a target is filled from. */
export interface TargetField {
  readonly from: 'path' | 'query' | 'claims' | 'host';
  /** Of the capture, the parameter or the claim; `label` of the host. */
  readonly name: string;
}

export interface TargetTemplate {
  /** As written. */
  readonly template: string;
}

/** What may stand between the braces, for people. */
export const TARGET_FIELDS = '{path.NAME}, {query.NAME}, {claims.NAME} or {host.label}';

const SOURCES: readonly string[] = ['path', 'query', 'claims', 'host'];

/** Whether a text is meant as a template. The path of a socket is fixed. */
export function isTemplate(text: string): boolean {
  return /[{}]/.test(text) && !text.startsWith('unix:');
}

/** A template in pieces, in order: texts that stay as they are, and what is filled in between them. */
export function targetPieces(template: string): (string | TargetField)[] {
  const pieces = template.split(/\{([^{}]*)\}/);
  return pieces
    .map((piece, index) => (index % 2 === 0 ? piece : (readField(piece) ?? '')))
    .filter((piece) => piece !== '');
}

/** The placeholders that nothing ever fills, or a brace that stands alone. */
export function strangersIn(template: string): string[] {
  return namesIn(template).filter((name) => /[{}]/.test(name) || readField(name) === undefined);
}

/** What the placeholders of a template are filled from. */
export function targetFields(template: string): TargetField[] {
  return targetPieces(template).filter((piece) => typeof piece !== 'string');
}

function readField(text: string): TargetField | undefined {
  const { name: from, of: name, fallback } = readPlaceholder(text);
  const isKnown = SOURCES.includes(from) && name !== undefined && name !== '' && fallback === undefined;
  if (!isKnown || (from === 'host' && name !== 'label')) return undefined;
  return { from: from as TargetField['from'], name };
}
