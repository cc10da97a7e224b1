// How the server is asked, and what is told where it refuses.

/** What went wrong, in words for whoever reads the page. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Asks for `url`; anything but a good answer is an `ApiError`. */
export async function ask(url: string, how: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, how);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is railbird still running?", 0);
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { error?: string } | null;
  throw new ApiError(body?.error ?? `The server answered with status ${response.status}.`, response.status);
}

/** The JSON that answers a request. */
export async function json<T>(url: string, how: RequestInit): Promise<T> {
  return (await (await ask(url, how)).json()) as T;
}

/** The JSON at `url`. */
export function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return json(url, signal ? { signal } : {});
}
