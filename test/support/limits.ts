import type { LimitObserver } from '../../src/admission/limit-deps.ts';

/** Hears what limits do: how often, by `route limit per outcome`. */
export function outcomesOf(): { observer: LimitObserver; outcomes: Record<string, number> } {
  const outcomes: Record<string, number> = {};
  const observer: LimitObserver = {
    watch(route, { limit, per }, outcome) {
      const name = `${route} ${limit} ${per} ${outcome}`;
      outcomes[name] ??= 0;
      return () => {
        outcomes[name] = (outcomes[name] ?? 0) + 1;
      };
    },
  };
  return { observer, outcomes };
}
