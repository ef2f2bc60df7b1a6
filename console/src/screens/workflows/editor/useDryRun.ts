import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useSettled } from "~/kit/useSettled";
import type { DryRun, DryStep } from "../data";
import type { WorkflowDocument } from "../document";

/** For whom and for which event a dry run is made. */
export interface Trial {
  /** A stored person by their id, or one who is described. */
  whom: "stored" | "described";
  recipientId: string;
  person: { user_id: string; email: string; phone: string; locale: string; timezone: string };
  /** JSON objects, as they are typed. */
  data: string;
  variables: string;
  sourceType: string;
  /** As a field for a date and a time has it; empty: now. */
  at: string;
  /** The statuses that steps end with, by their ids; the others count as sent. */
  outcomes: Readonly<Record<string, string>>;
}

const START: Trial = {
  whom: "described",
  recipientId: "",
  person: { user_id: "user-1", email: "ada@example.com", phone: "", locale: "", timezone: "" },
  data: "{}",
  variables: "{}",
  sourceType: "",
  at: "",
  outcomes: {},
};

export interface DryRunState {
  trial: Trial;
  setTrial: (change: Partial<Trial>) => void;
  /** Run it, now and after each change from now on. */
  start: () => void;
  isOn: boolean;
  /** Whom it is for is chosen, or described. */
  isSomebody: boolean;
  isBusy: boolean;
  result: DryRun | null;
  /** Why there is none. */
  error: Error | null;
  /** What is wrong with what is typed. */
  faults: Readonly<Partial<Record<"data" | "variables", string>>>;
  /** What would become of each step, by its id: the last thing that happens there. */
  outcomes: ReadonlyMap<string, DryStep>;
}

/** Say what a document would do. canRun: it is known to be valid. */
export function useDryRun(
  tenantId: string,
  document: WorkflowDocument,
  eventType: string,
  canRun: boolean,
): DryRunState {
  const [trial, setTrial] = useState(START);
  const [isOn, setOn] = useState(false);
  const data = readObject(trial.data);
  const variables = readObject(trial.variables);
  const body = {
    document: document as unknown as Record<string, unknown>,
    event_type: eventType,
    ...(trial.whom === "stored" ? { recipient_id: trial.recipientId } : { recipient: trial.person }),
    payload: {
      event_data: data.value,
      ...(trial.sourceType && { source: { type: trial.sourceType } }),
    },
    variables: variables.value,
    ...(trial.at && { at: new Date(trial.at).toISOString() }),
    outcomes: trial.outcomes,
  };
  const asked = useSettled(JSON.stringify(body));
  const isSomebody = trial.whom === "described" || trial.recipientId !== "";
  // A moment after somebody is chosen, nobody is what would be asked.
  const isAskable = isSomebody && (JSON.parse(asked) as { recipient_id?: string }).recipient_id !== "";
  const query = useQuery({
    queryKey: ["workflow-dry-run", tenantId, asked],
    queryFn: ({ signal }) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/workflow-dry-run", {
          params: { path: { id: tenantId } },
          body: JSON.parse(asked),
          signal,
        }),
      ),
    enabled: isOn && canRun && isAskable && !data.fault && !variables.fault,
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const result = isOn ? (query.data ?? null) : null;
  return {
    trial,
    setTrial: (change) => setTrial((known) => ({ ...known, ...change })),
    start: () => {
      if (isOn) {
        void query.refetch();
      }
      setOn(true);
    },
    isOn,
    isSomebody,
    isBusy: query.isFetching,
    result,
    error: query.error,
    faults: {
      ...(data.fault && { data: data.fault }),
      ...(variables.fault && { variables: variables.fault }),
    },
    outcomes: new Map((query.error ? [] : (result?.steps ?? [])).map((one) => [one.step, one])),
  };
}

function readObject(text: string): { value: Record<string, unknown>; fault: string } {
  try {
    const value: unknown = JSON.parse(text.trim() || "{}");
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { value: value as Record<string, unknown>, fault: "" };
    }
    return { value: {}, fault: "It must be a JSON object, such as {}." };
  } catch (error) {
    return { value: {}, fault: `It is not JSON: ${error instanceof Error ? error.message : ""}` };
  }
}
