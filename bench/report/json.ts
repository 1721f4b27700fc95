import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Report } from '../types.ts';

/** Writes a report to a file, making its folder. Rejects with what the file system says. */
export async function writeJson(file: string, report: Report): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, toJson(report));
}

/** A report as text: every sample, a line each, with the five digits that could matter. */
export function toJson(report: Report): string {
  const text = JSON.stringify(report, shorten, 2);
  // Line breaks stand between the tokens only: a string of JSON holds none.
  return `${text.replace(/\{[^{}[\]]*\}/g, (leaf) => leaf.replace(/\s*\n\s*/g, ' '))}\n`;
}

function shorten(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}
