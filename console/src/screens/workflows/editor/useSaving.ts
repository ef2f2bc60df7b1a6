import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { notify } from "~/kit/Toast";
import { type Workflow, workflowQuery } from "../data";
import { isSame, readDocument } from "../document";
import type { Content } from "./content";

export interface Saving {
  isBusy: boolean;
  error: Error | null;
  /** Somebody has saved another version meanwhile. */
  isConflict: boolean;
  dismiss: () => void;
  save: () => void;
  /** Save although somebody has saved another version. */
  saveAnyway: () => void;
}

/** Save what is edited: a new workflow, or what differs from the stored one. basedOn: the version it was made from. */
export function useSaving(
  tenantId: string,
  workflow: Workflow | null,
  content: Content,
  basedOn: number,
  onSaved: (saved: Workflow) => void,
): Saving {
  const queries = useQueryClient();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const [isConflict, setConflict] = useState(false);
  const save = async (isForced: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const saved = await (workflow === null
        ? create(tenantId, content)
        : change(tenantId, workflow, content, isForced ? 0 : basedOn));
      setConflict(false);
      queries.setQueryData(workflowQuery({ id: tenantId, workflow_id: saved.id }).queryKey, saved);
      void queries.invalidateQueries({ queryKey: ["workflows", tenantId] });
      notify(
        workflow === null
          ? `${saved.name} is stored. Activate it when it is ready.`
          : saved.version === workflow.version
            ? "The changes are saved."
            : `Version ${saved.version} is saved.`,
      );
      onSaved(saved);
    } catch (wrong) {
      const problem = wrong instanceof Error ? wrong : new Error(String(wrong));
      if (
        workflow &&
        problem instanceof Problem &&
        problem.status === 409 &&
        (await isOutdated(tenantId, workflow, basedOn))
      ) {
        setConflict(true);
      } else {
        setError(problem);
      }
    } finally {
      setBusy(false);
    }
  };
  return {
    ...{ isBusy, error, isConflict },
    dismiss: () => setConflict(false),
    save: () => void save(false),
    saveAnyway: () => void save(true),
  };
}

function create(tenantId: string, content: Content): Promise<Workflow> {
  const { document, ...rest } = content;
  return answer(
    api.POST("/api/v1/admin/tenants/{id}/workflows", {
      params: { path: { id: tenantId } },
      body: { ...rest, scope: "", active: false, document: plain(document) },
    }),
  );
}

function change(tenantId: string, workflow: Workflow, content: Content, basedOn: number): Promise<Workflow> {
  const { document, ...rest } = content;
  const known = readDocument(workflow.document);
  // Absent, so that what somebody else changes meanwhile stays.
  const fields = Object.fromEntries(
    Object.entries(rest).filter(([name, value]) => workflow[name as keyof typeof rest] !== value),
  );
  return answer(
    api.PATCH("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", {
      params: { path: { id: tenantId, workflow_id: workflow.id } },
      body: {
        ...fields,
        ...(known && isSame(known, document) ? {} : { document: plain(document) }),
        expected_version: basedOn,
      },
    }),
  );
}

/** Return whether another version is the current one than the one that was edited: a name can be taken, too. */
async function isOutdated(tenantId: string, workflow: Workflow, basedOn: number): Promise<boolean> {
  const path = { id: tenantId, workflow_id: workflow.id };
  const call = api.GET("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", { params: { path } });
  return (await answer(call)).version !== basedOn;
}

function plain(document: Content["document"]): Record<string, unknown> {
  return JSON.parse(JSON.stringify(document));
}
