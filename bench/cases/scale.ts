import { descriptorLimit } from '../measure/cores.ts';
import type { Tools } from '../types.ts';

/** Descriptors a proxy needs besides its connections. */
const SPARE = 200;

/** How many of `wanted` connections a case may open here: fewer in quick runs and where a proxy may not have two descriptors for each. Says so. */
export function affordable(wanted: number, { scale, note }: Tools): number {
  const scaled = Math.ceil(wanted * scale);
  const allowed = Math.floor((descriptorLimit() - SPARE) / 2);
  if (allowed < scaled)
    note(`${allowed} connections instead of ${wanted}: a process may open no more files here.`);
  else if (scaled < wanted) note(`${scaled} connections instead of ${wanted}, to be quick.`);
  return Math.min(scaled, allowed);
}
