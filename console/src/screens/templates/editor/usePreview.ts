import { useEffect, useRef, useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import type { Channel, Preview, Variables } from "../data";
import { type Fault, faultsOf } from "./faults";

/** What is previewed: unsaved, with the data to render it with. */
export interface Draft {
  tenant_id: string | null;
  channel: Channel;
  locale: string | null;
  subject: string;
  preheader: string;
  body: string;
  layout: string;
  layout_body?: string;
  partials?: Record<string, string>;
  variables: Variables;
  /** Further data, for branches that `variables` do not reach. */
  samples: readonly { name: string; variables: Variables }[];
}

export interface PreviewState {
  /** The newest preview with content: it stays while the draft has errors. */
  good: Preview | null;
  faults: readonly Fault[];
  /** Why there is no preview, if not for a fault at a place. */
  error: string;
  isBusy: boolean;
}

const WAIT_MS = 250;
const NOTHING: PreviewState = { good: null, faults: [], error: "", isBusy: true };

/** Have the server render a draft a moment after its last change. A newer draft cancels the call of an older one. */
export function usePreview(draft: Draft): PreviewState {
  const [state, setState] = useState<PreviewState>(NOTHING);
  const text = JSON.stringify(draft);
  const isFirst = useRef(true);
  useEffect(() => {
    const stop = new AbortController();
    setState((known) => ({ ...known, isBusy: true }));
    const timer = setTimeout(() => void render(text, stop.signal, setState), isFirst.current ? 0 : WAIT_MS);
    isFirst.current = false;
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [text]);
  return state;
}

async function render(
  text: string,
  signal: AbortSignal,
  set: (change: (known: PreviewState) => PreviewState) => void,
): Promise<void> {
  const draft: Draft = JSON.parse(text);
  if (draft.body.trim() === "") {
    const empty = { field: "body", line: null, column: null, detail: "must not be empty" };
    set((known) => ({ ...known, faults: [empty], error: "", isBusy: false }));
    return;
  }
  const body = {
    ...draft,
    tenant_id: draft.tenant_id ?? "",
    locale: draft.locale ?? "",
    layout_body: draft.layout_body ?? "",
    partials: draft.partials ?? {},
    samples: [...draft.samples],
  };
  try {
    const found = await answer(api.POST("/api/v1/admin/templates/preview", { body: body as never, signal }));
    if (!signal.aborted) {
      set((known) => withPreview(known, found));
    }
  } catch (error) {
    if (!signal.aborted) {
      set((known) => withError(known, error));
    }
  }
}

function withPreview(known: PreviewState, found: Preview): PreviewState {
  const { failure } = found;
  if (failure === undefined) {
    return { good: found, faults: [], error: "", isBusy: false };
  }
  return {
    good: known.good,
    faults: failure.errors,
    error: failure.errors.length > 0 ? "" : failure.detail || failure.reason,
    isBusy: false,
  };
}

function withError(known: PreviewState, error: unknown): PreviewState {
  if (error instanceof Problem && error.status === 422) {
    return { ...known, faults: faultsOf(error), error: "", isBusy: false };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { ...known, faults: [], error: `There is no preview: ${text}`, isBusy: false };
}
