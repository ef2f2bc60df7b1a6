import { csrfHeader } from "./client";
import { problemOf } from "./problem";

/** Send a file, and return the body of the response. onProgress: how many bytes are sent. Throws Problem. */
export function upload(
  method: "PUT" | "POST",
  path: string,
  file: Blob,
  { onProgress, signal }: { onProgress: (sent: number) => void; signal: AbortSignal },
): Promise<unknown> {
  // fetch() does not say how much it has sent.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    const fail = () => reject(new TypeError("The network failed while the file was sent."));
    request.open(method, path);
    request.setRequestHeader("X-CSRF-Token", csrfHeader());
    request.setRequestHeader("Content-Type", file.type);
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
    request.addEventListener("error", fail);
    request.addEventListener("abort", () => reject(new DOMException("It was stopped.", "AbortError")));
    request.addEventListener("load", () => {
      const headers = { "X-Trace-Id": request.getResponseHeader("X-Trace-Id") ?? "" };
      const body = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) {
        resolve(body);
      } else {
        reject(problemOf(body, new Response(null, { status: request.status, headers })));
      }
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Return a file that the API makes, however long it takes. Throws Problem. */
export async function download(path: string, body: object, signal: AbortSignal): Promise<Blob> {
  const response = await fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrfHeader() },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    throw problemOf(parsed(await response.text()), response);
  }
  return await response.blob();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
