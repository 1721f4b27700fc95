import { ExchangeFailed, type HttpAnswer } from '../../upstream/client.ts';
import { type CollectLimits, collect, type StreamedAnswer } from '../../upstream/streamed-answer.ts';

/** An answer whose body is still to be read. */
export function isStreamed(answer: HttpAnswer | StreamedAnswer): answer is StreamedAnswer {
  return !Buffer.isBuffer(answer.body);
}

/** A streamed answer that turns out to be none, whole. Its status counts, whatever becomes of its body. */
export async function wholeRefusal(answer: StreamedAnswer, limits: CollectLimits): Promise<HttpAnswer> {
  try {
    return await collect(answer, limits);
  } catch (thrown) {
    if (!(thrown instanceof ExchangeFailed)) throw thrown;
    return { status: answer.status, headers: answer.headers, body: Buffer.alloc(0) };
  }
}
