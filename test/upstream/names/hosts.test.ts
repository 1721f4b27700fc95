import { expect, test } from 'vitest';
import { parseHosts } from '../../../src/upstream/names/hosts.ts';

test('reads addresses and their names, aliases and comments aside', () => {
  const hosts = parseHosts(
    '# local\n127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # v6\n\n10.0.0.7 App.internal app\r\nnonsense app\n10.0.0.7 app\n',
  );
  expect(Object.fromEntries(hosts)).toEqual({
    localhost: ['127.0.0.1', '::1'],
    'ip6-localhost': ['::1'],
    'app.internal': ['10.0.0.7'],
    app: ['10.0.0.7'],
  });
});
