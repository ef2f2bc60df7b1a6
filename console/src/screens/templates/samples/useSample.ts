import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { lastPayload, type Sample, samplesQuery, type Variables } from "../data";
import { keepSample, keptSample } from "./keptSample";

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
}

interface Edited {
  choice: Choice;
  text: string;
  variables: Variables;
  error: string;
}

/**
 * The sample of an editor or a test: at first the first named one, else the last payload, else what was written in
 * this tab, else `fallback`.
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
  const [edited, setEdited] = useState<Edited | null>(null);
  const samples = named.data ?? [];
  const isLoading = (named.isPending && named.isEnabled) || (last.isPending && last.isEnabled);

  const dataOf = (choice: Choice): Variables => {
    if (choice.kind === "named") {
      return samples.find((one) => one.id === choice.id)?.variables ?? {};
    }
    return choice.kind === "last"
      ? (last.data?.variables ?? {})
      : (keptSample(tenantId, eventType) ?? fallback);
  };
  const started = (choice: Choice): Edited => {
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

  return {
    ...current,
    samples,
    lastAt: last.data?.accepted_at ?? null,
    isLoading,
    choose: (choice) => setEdited(started(choice)),
    write: (text) => {
      const read = readVariables(text);
      if (read.variables !== null) {
        keepSample(tenantId, eventType, read.variables);
      }
      setEdited({
        choice: current.choice,
        text,
        variables: read.variables ?? current.variables,
        error: read.error,
      });
    },
  };
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
