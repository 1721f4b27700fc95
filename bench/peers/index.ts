import type { Peer } from '../types.ts';
import { haproxy } from './haproxy.ts';
import { nginx } from './nginx.ts';
import { nodePeers } from './node.ts';
import { pushpin } from './pushpin.ts';
import { sallyport, sharing, twoWorkers } from './sallyport.ts';
import { websockify } from './websockify.ts';

/** Everything that can be measured. */
export const peers: readonly Peer[] = [
  nginx,
  haproxy,
  websockify,
  pushpin,
  ...nodePeers,
  sallyport,
  sharing,
  twoWorkers,
];
