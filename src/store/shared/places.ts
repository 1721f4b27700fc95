import type { Places, Release } from '../index.ts';
import type { Holding, Late, Wanted } from './authority.ts';
import { HeldPlaces } from './held-places.ts';
import type { SharedDeps } from './rates.ts';

/** Keys remembered although no place of theirs is held, until those who keep the counts have been told. */
const MOST_UNTOLD = 100_000;

/** Keys that are spoken of at once when all are said again. */
const AT_ONCE = 64;

/** The places of one rule, shared with other processes. */
export class SharedPlaces implements Places {
  readonly #deps: SharedDeps;
  readonly #rule: string;
  readonly #keys = new Map<string, HeldPlaces>();
  /** Those whose last word may not have been heard. */
  readonly #untold = new Map<string, HeldPlaces>();

  constructor(rule: string, deps: SharedDeps) {
    this.#rule = rule;
    this.#deps = deps;
  }

  /** Keys of which this process holds a place, asks for one, or has yet to say that it holds none. */
  get size(): number {
    return this.#keys.size;
  }

  /** Rejects with the refusal of `deps` where nobody answers, if there is one. */
  async acquire(key: string, max: number): Promise<Release | undefined> {
    const places = this.#placesOf(key);
    const isGranted = await places.acquire(max);
    this.#note(key, places);
    if (!isGranted) {
      void this.#tell(key, places);
      return undefined;
    }
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      places.release();
      void this.#tell(key, places);
    };
  }

  /** Says again what may not have been heard. Never rejects. */
  async repeat(): Promise<void> {
    await inTurn([...this.#untold], (key, places) => this.#tell(key, places));
  }

  /** Says again all that is held here, to those who may have lost it or have taken this process for dead. Never rejects. */
  async restate(): Promise<void> {
    await inTurn([...this.#keys], (key, places) => {
      places.forgetTold();
      return this.#tell(key, places);
    });
  }

  #placesOf(key: string): HeldPlaces {
    const known = this.#keys.get(key);
    if (known) return known;
    const { authority, gateways, refusal } = this.#deps;
    const say = (wanted: Wanted, max: number, late: Late<Holding>) =>
      authority.hold(this.#rule, key, wanted, max, late);
    const places: HeldPlaces = new HeldPlaces({
      ...{ say, gateways, refusal },
      learnt: () => void this.#tell(key, places),
    });
    this.#keys.set(key, places);
    return places;
  }

  async #tell(key: string, places: HeldPlaces): Promise<void> {
    await places.tell();
    this.#note(key, places);
  }

  /** Whether its last word was heard; who holds nothing, and has said so, is forgotten. */
  #note(key: string, places: HeldPlaces): void {
    const isForgotten = places.isForgettable || (places.isEmpty && this.#keys.size > MOST_UNTOLD);
    if (isForgotten) this.#keys.delete(key);
    if (isForgotten || places.isTold) this.#untold.delete(key);
    else this.#untold.set(key, places);
  }
}

type Speak = (key: string, places: HeldPlaces) => Promise<void>;

async function inTurn(all: readonly (readonly [string, HeldPlaces])[], speak: Speak): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE)
    await Promise.all(all.slice(at, at + AT_ONCE).map(([key, places]) => speak(key, places)));
}
