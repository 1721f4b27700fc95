import type { WriteStream } from 'node:tty';
import type { Progress } from './run.ts';

/** Shows how far a run is: on a terminal in one line that changes, elsewhere in a line for each case. */
export function showProgress(stream: WriteStream): (progress: Progress) => void {
  const began = Date.now();
  let last = '';
  return function show({ done, total, round, case: name, peer }) {
    const passed = (Date.now() - began) / 1000;
    const left = done === 0 ? '' : `, ${Math.ceil((passed / done) * (total - done))} s to go`;
    const heading = `round ${round + 1}: ${name}`;
    if (stream.isTTY) {
      stream.write(`\r${done}/${total}${left} · ${heading} · ${peer}`.padEnd(79).slice(0, 79));
      if (done + 1 === total) stream.write('\n');
    } else if (heading !== last) stream.write(`${done}/${total}${left} · ${heading}\n`);
    last = heading;
  };
}
