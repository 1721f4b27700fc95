import { expect, test } from 'vitest';
import { redisFault } from '../../../src/store/redis/fault.ts';

/** What Redis 7 and the library say, word by word. */
const LOOSE = 'All sentinels are unreachable. Retrying from scratch after 10ms. Last error: ';

test.each([
  ['NOAUTH Authentication required.', 'it asks for a `password` (NOAUTH Authentication required)'],
  [`${LOOSE}NOAUTH Authentication required.`, 'it asks for a `password` (NOAUTH Authentication required)'],
  [
    "NOPERM this user has no permissions to run the 'xread' command",
    "(NOPERM this user has no permissions to run the 'xread' command)",
  ],
  [
    "READONLY You can't write against a read only replica. script: 3de4, on @user_script:5.",
    "(READONLY You can't write against a read only replica)",
  ],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'it is full: raise its maxmemory'],
  ['CLUSTERDOWN Hash slot not served', 'it is a node of a cluster: set `cluster: true`'],
  [`${LOOSE}ERR No such master with that name`, 'these Sentinels watch no master of the name in `sentinel`'],
  [
    `${LOOSE}ERR unknown command 'sentinel', with args beginning with: 'a' 'b' `,
    "it is no Sentinel: leave `sentinel` out, or name the Sentinels (ERR unknown command 'sentinel')",
  ],
  [
    "ERR unknown command 'evalsha', with args beginning with: '3de4'",
    "and with `sentinel` the Sentinels (ERR unknown command 'evalsha')",
  ],
  [`${LOOSE}Connection is closed.`, 'none of these Sentinels answers (Connection is closed)'],
  [
    'Unknown RESP type 72 "H". Please report this.',
    'else something else listens there (Unknown RESP type 72 "H")',
  ],
])('says what to look at: %s', (message, said) => {
  expect(redisFault(new Error('there is no connection', { cause: new Error(message) }))).toContain(said);
});

test.each([undefined, 'text', new Error('connect ECONNREFUSED 127.0.0.1:1')])(
  'knows nothing of others: %s',
  (error) => {
    expect(redisFault(error)).toBeUndefined();
  },
);
