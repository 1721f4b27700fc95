import { closeSync, openSync } from 'node:fs';
import { Writable } from 'node:stream';

const STDOUT = 1;

/**
 * Standard output as a stream whose end closes it, so that whoever reads it hears of that while the command goes on. The end of
 * `process.stdout` does not: its descriptor stays open until the process ends.
 */
export function closingOutput(stdout: Writable): Writable {
  return new Writable({
    write: (chunk, _encoding, done) => void stdout.write(chunk, done),
    final(done) {
      closeSync(STDOUT);
      // The lowest descriptor that is free: nothing else that is opened takes its place, and hears what is written there.
      openSync('/dev/null', 'w');
      done();
    },
  });
}
