import type { Finding } from '../../config/problem.ts';
import type { Config, RouteConfig } from '../../config/schema.ts';
import { readTable } from '../../config/tcp/table-file.ts';
import { faultsOf, type Trial } from './trial.ts';

/** What is wrong with the files that list targets. Never rejects. */
export function tableFaults({ routes }: Config): Promise<Finding[]> {
  return faultsOf(routes.flatMap(tables));
}

function tables({ upstream: { targets } }: RouteConfig, index: number): Trial[] {
  if (targets === undefined || !('file' in targets)) return [];
  return [{ path: ['routes', index, 'upstream', 'targets'], run: () => readTable(targets.file) }];
}
