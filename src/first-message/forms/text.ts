import { type Form, missing } from './form.ts';
import { placeOf, takeOut } from './json.ts';

const NOTHING = Buffer.alloc(0);

/** A text that is the token, or JSON with the token at `pointer` (RFC 6901). */
export function createTextForm(pointer: string): Form {
  const place = placeOf(pointer);
  return {
    isStream: false,
    isBinary: false,
    read: (bytes) => (pointer === '' ? wholeText(bytes) : readJson(bytes, place)),
  };
}

function wholeText(bytes: Buffer) {
  const token = bytes.toString('utf8').trim();
  return { tokens: token === '' ? [] : [token], bare: NOTHING };
}

function readJson(bytes: Buffer, place: readonly string[]) {
  const { tokens, text } = takeOut(bytes.toString('utf8'), [place]);
  if (tokens.length === 0) throw missing(`has no text at /${place.join('/')}`);
  return { tokens, bare: Buffer.from(text) };
}
