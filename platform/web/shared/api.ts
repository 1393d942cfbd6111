/** One way to the API: same-origin cookies, CSRF header, problem+json errors. */

export class APIError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

function cookie(name: string): string {
  const found = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
}

async function problem(response: Response): Promise<APIError> {
  const body: unknown = await response.json().catch(() => null);
  const fields = (body ?? {}) as { code?: string; detail?: unknown; title?: string };
  const detail = typeof fields.detail === 'string' ? fields.detail : fields.title;
  return new APIError(response.status, fields.code ?? '', detail ?? `HTTP ${response.status}`);
}

async function call<T>(method: string, address: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRF-Token'] = cookie('ennead_csrf');
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(`/api/v1${address}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw await problem(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** A file as the body, with progress from 0 to 1; `fetch` tells none of what was sent. */
function upload<T>(
  method: string,
  address: string,
  file: File,
  onProgress: (fraction: number) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, `/api/v1${address}`);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('X-CSRF-Token', cookie('ennead_csrf'));
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    };
    request.onerror = () => reject(new APIError(0, '', 'The connection broke off.'));
    request.onload = () => {
      if (request.status < 300) {
        resolve(JSON.parse(request.responseText) as T);
        return;
      }
      const answer = new Response(request.responseText, { status: request.status });
      problem(answer).then(reject, reject);
    };
    request.send(file);
  });
}

export const api = {
  upload,
  get: <T>(address: string) => call<T>('GET', address),
  post: <T>(address: string, body: unknown = {}) => call<T>('POST', address, body),
  put: <T>(address: string, body: unknown) => call<T>('PUT', address, body),
  delete: <T>(address: string) => call<T>('DELETE', address),
};

/** Whether an error says that nobody is logged in. */
export function isLoggedOut(error: unknown): boolean {
  return error instanceof APIError && error.status === 401;
}

/** Go to the login page and come back here afterwards. */
export function goToLogin(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/login?next=${encodeURIComponent(here)}`);
}
