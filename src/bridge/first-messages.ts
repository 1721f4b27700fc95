import { GatewayError } from '../errors.ts';
import type { ReaderOptions } from '../frames/header.ts';
import { type FrameAction, type FrameHandler, FrameReader, PASS, type Violation } from '../frames/reader.ts';
import { Assembler } from './poll/assembler.ts';

/** A message that came before there was a bridge. */
export interface FirstMessage {
  readonly data: Buffer;
  readonly binary: boolean;
}

export interface FirstMessageEvents {
  /** A message is whole. True: no other one is wanted. */
  message(message: FirstMessage): boolean;
  /** A ping, a pong or a Close, behind which nothing is read. */
  control(opcode: number, payload: Buffer): void;
}

/**
 * Reads the messages with which a peer begins, before a bridge carries what comes behind them. What its events throw, `push`
 * throws; it throws itself PROTOCOL_ERROR, INVALID_PAYLOAD and MESSAGE_TOO_BIG.
 */
export class FirstMessages implements FrameHandler {
  readonly #reader: FrameReader;
  readonly #assembler: Assembler;
  readonly #events: FirstMessageEvents;
  /** Bytes pushed, and those of them in frames that have been read. */
  #pushed = 0;
  #passed = 0;

  constructor(options: ReaderOptions, events: FirstMessageEvents) {
    this.#reader = new FrameReader(options, this);
    this.#events = events;
    this.#assembler = new Assembler(({ data, binary }) => {
      if (events.message({ data: data as Buffer, binary })) this.#reader.done = true;
    });
  }

  /** Reads the next bytes. Returns what lies behind the last message that is wanted; undefined: more is to come. */
  push(chunk: Buffer): Buffer | undefined {
    this.#pushed += chunk.length;
    this.#reader.push(chunk);
    return this.#reader.done ? chunk.subarray(chunk.length - (this.#pushed - this.#passed)) : undefined;
  }

  frame(reader: FrameReader): FrameAction {
    this.#assembler.begin(reader);
    return PASS;
  }

  payload(bytes: Buffer, from: number, to: number, reader: FrameReader): void {
    this.#assembler.add(bytes, from, to, reader);
  }

  control(opcode: number, payload: Buffer): FrameAction {
    this.#events.control(opcode, payload);
    return PASS;
  }

  raw(_bytes: Buffer, from: number, to: number): void {
    this.#passed += to - from;
  }

  boundary(): void {}

  violation(violation: Violation, detail: string, limit?: string): void {
    const sentence = limit && `The message is too big: at most ${limit}.`;
    throw new GatewayError(violation, { detail: `first message: ${detail}`, sentence });
  }
}
