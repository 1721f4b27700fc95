import fc from 'fast-check';

/**
 * Runs before every test file. A property fails with its seed; FC_SEED of the environment makes the same values again.
 */
const { FC_SEED } = process.env;

fc.configureGlobal({
  // Without it a `maxLength` alone means ten items or so, whatever it says: what only long values show is never tried.
  defaultSizeToMaxWhenMaxSpecified: true,
  seed: FC_SEED === undefined ? undefined : Number(FC_SEED),
  reporter(run) {
    if (!run.failed) return;
    const again = `\n\nTo see it again: FC_SEED=${run.seed} npm test -- FILE`;
    throw new Error(fc.defaultReportMessage(run) + again, { cause: run.errorInstance });
  },
});
