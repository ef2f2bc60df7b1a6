import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { lastPayload, type Sample, samplesQuery, type Variables } from "../data";
import { dropSample, type KeptSample, keepSample, keptSample, leaveSample, sampleKey } from "./kept";

/** What an author chose as sample: a named one by its id, the last payload, or data that they wrote. */
export type Choice = { kind: "named"; id: string } | { kind: "last" } | { kind: "written" };

/** The data that a preview or a test is made with, and where else to get some. */
export interface SampleState {
  choice: Choice;
  /** As somebody edits it: JSON, or not yet. */
  text: string;
  /** The newest text that was a JSON object. */
  variables: Variables;
  /** What is wrong with the text; empty: nothing. */
  error: string;
  samples: readonly Sample[];
  /** When the last payload was accepted; null: there is none. */
  lastAt: string | null;
  isLoading: boolean;
  choose: (choice: Choice) => void;
  write: (text: string) => void;
  /** Keep what is shown in this browser, also if nobody has changed it. */
  keep: () => void;
  /** Forget what this browser keeps, because it is stored, and go on with the named sample. */
  stored: (made: Sample) => void;
}

interface Edited {
  choice: Choice;
  text: string;
  variables: Variables;
  error: string;
}

/**
 * The sample of an editor or a test: at first the one that this browser keeps, else the first named one, else the last
 * payload, else `fallback`. What somebody writes is kept, so that it is there on the next page and after a reload; the
 * last payload is real data and is not.
 *
 * @param tenantId null: the platform, which has no events
 * @param mayReadPayloads viewers do not read what customers' servers have sent
 */
export function useSample(
  tenantId: string | null,
  eventType: string,
  fallback: Variables,
  mayReadPayloads: boolean,
): SampleState {
  const named = useQuery(samplesQuery(tenantId, eventType));
  const last = useQuery({
    queryKey: ["template-samples", "last", tenantId, eventType],
    queryFn: () => (tenantId === null ? null : lastPayload(tenantId, eventType)),
    enabled: mayReadPayloads && tenantId !== null && eventType !== "",
    staleTime: 30_000,
  });
  const key = sampleKey(tenantId, eventType);
  const [edited, setEdited] = useState<Edited | null>(() => begun(keptSample(key)));
  const samples = named.data ?? [];
  const isLoading = (named.isPending && named.isEnabled) || (last.isPending && last.isEnabled);

  const dataOf = (choice: Choice): Variables => {
    if (choice.kind === "named") {
      return samples.find((one) => one.id === choice.id)?.variables ?? {};
    }
    return choice.kind === "last" ? (last.data?.variables ?? {}) : fallback;
  };
  const started = (choice: Choice): Edited => {
    const kept = choice.kind === "written" ? keptSample(key) : null;
    if (kept?.choice.kind === "written") {
      return editedOf(choice, kept.content.text, fallback);
    }
    const variables = dataOf(choice);
    return { choice, variables, text: JSON.stringify(variables, null, 2), error: "" };
  };
  const first = samples[0];
  const usual: Choice = first
    ? { kind: "named", id: first.id }
    : last.data
      ? { kind: "last" }
      : { kind: "written" };
  const current = edited ?? started(usual);

  const show = (next: Edited) => {
    setEdited(next);
    if (next.choice.kind !== "last") {
      keepSample(key, next.choice, next.text);
    }
  };

  return {
    ...current,
    samples,
    lastAt: last.data?.accepted_at ?? null,
    isLoading,
    choose: (choice) => {
      setEdited(started(choice));
      leaveSample(key, choice);
    },
    write: (text) => show(editedOf(current.choice, text, current.variables)),
    keep: () => show(current),
    stored: (made) => {
      dropSample(key);
      setEdited({
        choice: { kind: "named", id: made.id },
        text: JSON.stringify(made.variables, null, 2),
        variables: made.variables,
        error: "",
      });
    },
  };
}

function begun(kept: KeptSample | null): Edited | null {
  return kept?.isChosen ? editedOf(kept.choice, kept.content.text, {}) : null;
}

function editedOf(choice: Choice, text: string, before: Variables): Edited {
  const { variables, error } = readVariables(text);
  return { choice, text, variables: variables ?? before, error };
}

function readVariables(text: string): { variables: Variables | null; error: string } {
  try {
    const found: unknown = JSON.parse(text.trim() === "" ? "{}" : text);
    if (typeof found === "object" && found !== null && !Array.isArray(found)) {
      return { variables: found as Variables, error: "" };
    }
    return { variables: null, error: "It must be a JSON object: { … }" };
  } catch (error) {
    return { variables: null, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Return the data with a value for each of the missing names, such as "order.items.0.price". */
export function filledIn(variables: Variables, missing: readonly string[]): Variables {
  const made: Variables = structuredClone(variables);
  for (const name of missing) {
    const parts = name.split(".");
    let here: Record<string, unknown> = made;
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) {
        here[part] ??= part;
        break;
      }
      const next = here[part];
      if (typeof next !== "object" || next === null) {
        here[part] = {};
      }
      here = here[part] as Record<string, unknown>;
    }
  }
  return made;
}
