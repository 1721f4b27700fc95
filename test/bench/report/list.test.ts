import { expect, test } from 'vitest';
import { toList } from '../../../bench/report/list.ts';
import type { Case } from '../../../bench/types.ts';

function subject(name: string, ...peers: string[]): Case {
  const words = { group: 'Memory', title: 'idle', unit: '' };
  return { ...words, name, metrics: [], peers, targets: [], run: async () => ({}) };
}

test('a list has a line for each case, with its peers', () => {
  expect(toList([subject('a', 'nginx', 'Sallyport'), subject('long', 'Sallyport')])).toBe(
    'a     Memory: idle (nginx, Sallyport)\nlong  Memory: idle (Sallyport)\n',
  );
  expect(toList([])).toBe('');
});
