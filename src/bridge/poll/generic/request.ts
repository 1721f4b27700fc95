import type { RequestConfig } from '../../../config/poll/requests.ts';
import type { HttpRequest } from '../../../upstream/client.ts';
import { compileFields, compileForm, compileJson, compilePath, type Template } from '../template.ts';
import type { Scope } from '../values.ts';

/** Compiles one kind of request as the configuration describes it. The maker throws where its path cannot be filled. */
export function compileRequest({
  method,
  path,
  headers,
  body,
  type = 'application/json',
}: RequestConfig): (scope: Scope) => HttpRequest {
  const renderPath = compilePath(path);
  const renderHeaders = compileFields(headers ?? {});
  const renderBody = body === undefined ? undefined : compileBody(body, type);
  return function request(scope) {
    const base = { method, path: renderPath(scope), headers: renderHeaders(scope) };
    if (renderBody === undefined) return base;
    return { ...base, headers: { ...base.headers, 'content-type': type }, body: renderBody(scope) };
  };
}

/** Compiles a body, which is JSON unless its type says that it is a form. */
export function compileBody(body: string, type: string): Template {
  return /^application\/x-www-form-urlencoded\b/i.test(type) ? compileForm(body) : compileJson(body);
}
