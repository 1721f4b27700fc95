import type { GatewayError } from '../../errors.ts';
import { type Form, missing } from './form.ts';

const NUL = '\0';
/** Each opens a connection; before them may stand line ends, which are heart-beats. */
const COMMANDS = ['CONNECT', 'STOMP'];

/**
 * The CONNECT or STOMP of STOMP 1.0 to 1.2 (stomp.github.io): the token is its header `name`, in any case, for servers differ. The
 * frame may go on in the next message.
 */
export function createStompForm(name: string): Form {
  const wanted = name === '' ? 'passcode' : name.toLowerCase();
  return {
    isStream: true,
    read(bytes) {
      // Byte for byte; what is looked for in it is ASCII.
      const text = bytes.toString('latin1');
      const frame = text.replace(/^[\r\n]+/, '');
      if (!COMMANDS.some((command) => isCommand(frame, command))) throw missing('is no CONNECT of STOMP');
      if (!frame.includes(NUL)) return undefined;
      const { headers, rest } = parse(frame);
      const found = headers.filter((line) => headerName(line) === wanted);
      const kept = headers.filter((line) => headerName(line) !== wanted);
      const tokens = found.map(headerValue).filter((value) => value !== '');
      return { tokens, bare: Buffer.from(`${kept.join('\n')}${rest}`, 'latin1'), refusal };
    },
  };
}

/** Or the beginning of one. */
function isCommand(frame: string, command: string): boolean {
  const [line = ''] = frame.split(/\r?\n|\r$/, 1);
  return frame.includes('\n') ? line === command : command.startsWith(line);
}

/** The lines of a frame, its command among them, and all from the empty line on, with the line end before it. */
function parse(frame: string): { headers: readonly string[]; rest: string } {
  const end = /\n\r?\n/.exec(frame)?.index ?? -1;
  if (end < 0 || end > frame.indexOf(NUL)) throw missing('is a CONNECT of STOMP whose headers do not end');
  return { headers: frame.slice(0, end).split('\n'), rest: frame.slice(end) };
}

function headerName(line: string): string | undefined {
  const colon = line.indexOf(':');
  return colon < 0 ? undefined : line.slice(0, colon).trim().toLowerCase();
}

function headerValue(line: string): string {
  const value = line.slice(line.indexOf(':') + 1).trim();
  return Buffer.from(value, 'latin1').toString('utf8');
}

function refusal({ code, message }: GatewayError): Buffer {
  return Buffer.from(
    `ERROR\nmessage:${escaped(message)}\ncontent-type:text/plain\n\n${code}: ${message}\n${NUL}`,
  );
}

/** STOMP 1.2, "Value Encoding". */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll(':', '\\c');
}
