import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { isNotFound } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Progress } from "~/kit/Meter";
import { Card, Facts, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { FindTenant } from "~/shell/FindTenant";
import { NotOfTenant } from "~/shell/NotOfTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { type Import, importQuery, isOpen } from "./data";
import { StateBadge } from "./StateBadge";

export const lazyRoute = createLazyRoute("/frame/imports/$importId")({ component: ImportScreen });

function ImportScreen() {
  const tenantId = useTenantId();
  const { importId } = lazyRoute.useParams();
  if (!tenantId) {
    return (
      <Page title="Import">
        <FindTenant key={importId} kind="import" id={importId} what="imports" />
      </Page>
    );
  }
  return <Loaded key={importId} tenantId={tenantId} importId={importId} />;
}

function Loaded({ tenantId, importId }: { tenantId: string; importId: string }) {
  const { data, error, refetch } = useQuery(importQuery(tenantId, importId));
  if (data) {
    return <OneImport tenantId={tenantId} one={data} />;
  }
  if (isNotFound(error)) {
    return <NotOfTenant what="import" list={<LinkButton to="/imports">All imports</LinkButton>} />;
  }
  return (
    <Page title="Import" actions={<LinkButton to="/imports">All imports</LinkButton>}>
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function OneImport({ tenantId, one }: { tenantId: string; one: Import }) {
  const queries = useQueryClient();
  const mayCancel = may(useSession(), "operator", useTenant());
  const [isCanceling, setCanceling] = useState(false);
  const goesOn = isOpen(one);
  const cancel = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/imports/{import_id}/cancel", {
          params: { path: { id: tenantId, import_id: one.id } },
        }),
      ),
    onSuccess: (ended) => {
      queries.setQueryData(importQuery(tenantId, one.id).queryKey, ended);
      setCanceling(false);
      notify("The import is canceled. Who is stored stays stored.");
    },
  });
  useEffect(() => {
    if (!goesOn) {
      // Who was stored stands in lists, tags and counts.
      for (const key of ["recipients", "tags", "segments", "segment-count", "imports"]) {
        void queries.invalidateQueries({ queryKey: [key], refetchType: "none" });
      }
    }
  }, [goesOn, queries]);
  const part = one.size > 0 ? Math.floor((one.position / one.size) * 100) : 0;
  return (
    <Page
      title={`Import of ${one.file_name || "a file"}`}
      heading={
        <>
          Import of <bdi>{one.file_name || "a file"}</bdi> <StateBadge of={one} />
        </>
      }
      actions={
        <>
          <LinkButton to="/imports">All imports</LinkButton>
          <LinkButton to="/recipients">The people</LinkButton>
          {goesOn && mayCancel ? <Button onClick={() => setCanceling(true)}>Cancel …</Button> : null}
        </>
      }
    >
      <Card title="Progress">
        {one.state === "uploading" ? (
          <p>The file is still being sent. If the page that sends it was closed, start a new import.</p>
        ) : (
          <p aria-live="polite">
            {part} % of the file is processed: {one.created.toLocaleString()} new,{" "}
            {one.updated.toLocaleString()} changed, {one.faults.toLocaleString()}{" "}
            {one.faults === 1 ? "row" : "rows"} wrong.
          </p>
        )}
        {goesOn ? <Progress label="Processed" done={one.position} total={one.size || null} /> : null}
        {one.detail ? <ErrorNote error={new Error(one.detail)} /> : null}
        <Facts
          facts={[
            ["New people", one.created.toLocaleString()],
            ["Changed people", one.updated.toLocaleString()],
            ["Wrong rows", one.faults.toLocaleString()],
            ["Started", <Time key="started" at={one.created_at} />],
            ["Finished", one.finished_at ? <Time key="finished" at={one.finished_at} /> : null],
          ]}
        />
      </Card>
      {one.faults > 0 ? (
        <Card title="Rows that were not stored">
          <Faults key={goesOn ? "open" : "ended"} tenantId={tenantId} one={one} />
        </Card>
      ) : null}
      <Confirm
        isOpen={isCanceling}
        onClose={() => setCanceling(false)}
        title="Cancel the import?"
        text="Nothing more of the file is stored. Who is stored already stays stored."
        action="Cancel the import"
        onSubmit={() => cancel.mutate()}
        isBusy={cancel.isPending}
        error={cancel.error}
      />
    </Page>
  );
}

function Faults({ tenantId, one }: { tenantId: string; one: Import }) {
  const list = useRows(["imports", tenantId, one.id, "faults"], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/imports/{import_id}/faults", {
        params: {
          path: { id: tenantId, import_id: one.id },
          query: { limit: 50, ...(cursor && { cursor }) },
        },
        signal,
      }),
    ),
  );
  return (
    <List
      caption="Rows that were not stored, in their order"
      list={list}
      rowKey={(row: Schemas["ImportFault"]) => `${row.line}/${row.column ?? ""}/${row.description}`}
      empty={<p>None is listed.</p>}
      columns={[
        { header: "Line", cell: (row) => row.line.toLocaleString(), isNumber: true },
        { header: "Column", cell: (row) => <bdi>{row.column ?? ""}</bdi> },
        { header: "What is wrong", cell: (row) => <bdi>{row.description}</bdi> },
      ]}
    />
  );
}
