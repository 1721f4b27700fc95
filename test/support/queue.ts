import type { ServiceHandler } from './poll.ts';

interface Entry {
  readonly id: string;
  readonly body: string;
  /** Of who has received it last; undefined while it may be received. */
  receipt?: string | undefined;
}

interface Input {
  readonly MaxNumberOfMessages: number;
  readonly Entries: readonly { readonly Id: string; readonly ReceiptHandle: string }[];
  readonly MessageBody: string;
}

/** What of SQS's JSON protocol consumers use, as its documents have it: what is received is out of sight until it is deleted, or comes again. */
export class StubQueue {
  /** In the order of their coming; those that are deleted are gone. */
  entries: Entry[] = [];
  /** Every action, with what it was asked. */
  readonly actions: { readonly name: string; readonly input: Input }[] = [];
  /** Actions that were done, and answered. */
  readonly done: string[] = [];
  /** Statuses for the deletions that come next, in place of what they would do: 200 for one that fails for each message. */
  readonly refusals: number[] = [];
  /** Deletions wait for it before they are answered. */
  held: Promise<unknown> = Promise.resolve();
  #isFailing = false;
  #count = 0;
  #receipts = 0;
  #wake: (() => void)[] = [];

  put(...bodies: string[]): void {
    for (const body of bodies) this.entries.push({ id: `id-${++this.#count}`, body });
    this.#arrived();
  }

  /** The visibility timeout of all that has been received is over. */
  expire(): void {
    for (const entry of this.entries) entry.receipt = undefined;
    this.#arrived();
  }

  named(name: string): Input[] {
    return this.actions.filter((action) => action.name === name).map(({ input }) => input);
  }

  readonly handler: ServiceHandler = async ({ headers, body }, response) => {
    const type = 'application/x-amz-json-1.0';
    const [, name = ''] = String(headers['x-amz-target']).split('AmazonSQS.');
    const input = JSON.parse(body.toString());
    this.actions.push({ name, input });
    const status = headers['content-type'] === type ? await this.#statusOf(name) : 415;
    if (response.destroyed) return;
    if (status !== 200) return void response.writeHead(status).end('{"__type":"com.amazonaws.sqs#Fault"}');
    const output = await this.#act(name, input);
    this.done.push(name);
    return void response.writeHead(200, { 'content-type': type }).end(JSON.stringify(output));
  };

  async #statusOf(name: string): Promise<number> {
    if (name !== 'DeleteMessageBatch') return 200;
    await this.held;
    this.#isFailing = this.refusals[0] === 200;
    return this.refusals.shift() ?? 200;
  }

  async #act(name: string, input: Input): Promise<object> {
    if (name === 'ReceiveMessage') return this.#receive(input.MaxNumberOfMessages);
    if (name === 'DeleteMessageBatch') return this.#delete(input.Entries);
    if (name === 'SendMessage') this.put(input.MessageBody);
    return {};
  }

  async #receive(most: number): Promise<object> {
    const found = this.entries.filter(({ receipt }) => receipt === undefined).slice(0, most);
    if (found.length === 0) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
      return this.#receive(most);
    }
    for (const entry of found) entry.receipt = `r"${++this.#receipts}"`;
    return {
      Messages: found.map(({ id, body, receipt }) => ({ MessageId: id, ReceiptHandle: receipt, Body: body })),
    };
  }

  /** A handle that is not the last of its message deletes nothing. */
  #delete(entries: Input['Entries']): object {
    if (this.#isFailing)
      return { Failed: entries.map(({ Id }) => ({ Id, Code: 'InternalError', SenderFault: false })) };
    const handles = new Set(entries.map(({ ReceiptHandle }) => ReceiptHandle));
    this.entries = this.entries.filter(({ receipt }) => receipt === undefined || !handles.has(receipt));
    return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
  }

  /** The first who waits takes it. */
  #arrived(): void {
    this.#wake.shift()?.();
  }
}
