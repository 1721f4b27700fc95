import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../config/units.ts';

/** Values of options, as several commands read them. Each throws InvalidArgumentError. */

/** Milliseconds. */
export function readDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration like 500ms or 2s.');
  return ms;
}

export function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('Expected a number from 0 to 65535.');
  return port;
}
