import workerUrl from "./worker.ts?worker&url";

interface Policy {
  createScriptURL: (url: string) => string;
}

interface TrustedTypes {
  createPolicy: (name: string, rules: Policy) => Policy;
}

// The page allows this policy only (gateway/console/policy.py), and it allows this address only.
const policy: Policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy(
  "clarion-worker",
  {
    createScriptURL: (url) => {
      if (url !== workerUrl) {
        throw new TypeError("Only the worker of live events may be started.");
      }
      return url;
    },
  },
) ?? { createScriptURL: (url) => url };

/** The address of the shared worker, as the page's policy accepts it. */
export function workerScript(): string {
  return policy.createScriptURL(workerUrl);
}
