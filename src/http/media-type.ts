/** Types whose bodies are text, and any that names a character set. */
const TEXT =
  /^(text\/|application\/(([a-z0-9.+-]+\+)?(json|xml)|x-ndjson|(x-)?(java|ecma)script|x-www-form-urlencoded)\s*(;|$))|;\s*charset=/i;

/** Whether a Content-Type (RFC 9110 §8.3) says that a body is text. */
export function isTextType(contentType: string | undefined): boolean {
  return TEXT.test(contentType ?? '');
}
