import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { answer, api } from "~/api/client";
import { isNotFound } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField, SelectField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { FindTenant } from "~/shell/FindTenant";
import { NotOfTenant } from "~/shell/NotOfTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { type Named, type Version, versionQuery, versionsQuery, type Workflow, workflowQuery } from "./data";
import { readDocument } from "./document";
import { useNames } from "./editor/useNames";
import styles from "./Workflows.module.css";
import { type Names, outline } from "./words";

export const lazyRoute = createLazyRoute("/frame/workflows/$workflowId/versions")({
  component: VersionsScreen,
});

const DiffView = lazy(() =>
  import("~/screens/templates/editor/DiffView").then(({ DiffView }) => ({ default: DiffView })),
);

function VersionsScreen() {
  const tenantId = useTenantId();
  const { workflowId } = lazyRoute.useParams();
  if (!tenantId) {
    return (
      <Page title="Versions">
        <FindTenant key={workflowId} kind="workflow" id={workflowId} what="workflows" />
      </Page>
    );
  }
  return <Versions key={workflowId} path={{ id: tenantId, workflow_id: workflowId }} />;
}

function Versions({ path }: { path: Named }) {
  const workflow = useQuery(workflowQuery(path));
  const versions = useQuery(versionsQuery(path));
  const error = workflow.error ?? versions.error;
  if (isNotFound(error)) {
    return <NotOfTenant what="workflow" list={<LinkButton to="/workflows">All workflows</LinkButton>} />;
  }
  const title = workflow.data ? `Versions of ${workflow.data.name}` : "Versions";
  return (
    <Page
      title={title}
      text="Each change of the steps is a version. A run finishes on the version that it began with."
      actions={
        <LinkButton to="/workflows/$workflowId" params={{ workflowId: path.workflow_id }}>
          The workflow
        </LinkButton>
      }
    >
      {error ? <ErrorNote error={error} /> : null}
      {workflow.data && versions.data ? (
        <Loaded path={path} workflow={workflow.data} versions={versions.data} />
      ) : error ? null : (
        <Loading />
      )}
    </Page>
  );
}

interface LoadedProps {
  path: Named;
  workflow: Workflow;
  versions: readonly Version[];
}

function Loaded({ path, workflow, versions }: LoadedProps) {
  const search = lazyRoute.useSearch();
  const navigate = useNavigate();
  const mayChange = may(useSession(), "developer", useTenant());
  const [restored, setRestored] = useState<Version | null>(null);
  const numbers = versions.map((one) => one.version);
  const shown = known(numbers, search.version) ?? numbers[0];
  const against = known(numbers, search.against) ?? numbers.find((one) => one < (shown ?? 0));
  const compare = (change: { version?: string; against?: string }) =>
    void navigate({
      to: "/workflows/$workflowId/versions",
      params: { workflowId: path.workflow_id },
      search: { ...search, ...change },
      replace: true,
      resetScroll: false,
    });
  return (
    <>
      <Table
        caption="Versions, newest first"
        rows={versions}
        rowKey={(row) => String(row.version)}
        columns={[
          {
            header: "Version",
            cell: (row) => (
              <>
                {row.version} {row.version === workflow.version ? <Badge tone="good">current</Badge> : null}
              </>
            ),
            isWhole: true,
          },
          { header: "Saved", cell: (row) => <Time at={row.created_at} />, isWhole: true },
          { header: "By", cell: (row) => <bdi>{row.created_by ?? "not known"}</bdi> },
          {
            header: "",
            cell: (row) =>
              mayChange && row.version !== workflow.version ? (
                <Button size="small" onClick={() => setRestored(row)}>
                  Use version {row.version} again …
                </Button>
              ) : null,
          },
        ]}
      />
      {shown === undefined ? null : (
        <Card title={against === undefined ? `Version ${shown}` : "What differs"}>
          <div className={styles.choice}>
            <SelectField
              label="Older version"
              value={against ?? ""}
              onChange={(event) => compare({ against: event.target.value })}
              disabled={against === undefined}
            >
              {against === undefined ? <option value="">There is none</option> : null}
              {numbers.map((one) => (
                <option key={one} value={one}>
                  Version {one}
                </option>
              ))}
            </SelectField>
            <SelectField
              label="Newer version"
              value={shown}
              onChange={(event) => compare({ version: event.target.value })}
            >
              {numbers.map((one) => (
                <option key={one} value={one}>
                  Version {one}
                </option>
              ))}
            </SelectField>
          </div>
          <Comparison path={path} shown={shown} against={against ?? shown} />
        </Card>
      )}
      <UseAgain path={path} workflow={workflow} version={restored} onClose={() => setRestored(null)} />
    </>
  );
}

function known(numbers: readonly number[], asked: string | undefined): number | undefined {
  return numbers.find((one) => String(one) === asked);
}

function Comparison({ path, shown, against }: { path: Named; shown: number; against: number }) {
  const names = useNames(path.id);
  const [isJson, setJson] = useState(false);
  const newer = useQuery(versionQuery(path, shown));
  const older = useQuery(versionQuery(path, against));
  const sides = useMemo(() => {
    if (newer.data === undefined || older.data === undefined) {
      return null;
    }
    const side = (version: typeof newer.data) => ({
      label: `Version ${version.version}`,
      text: written(version.document, names, isJson),
    });
    return { before: side(older.data), after: side(newer.data) };
  }, [newer.data, older.data, names, isJson]);
  const error = newer.error ?? older.error;
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (sides === null) {
    return <Loading />;
  }
  return (
    <>
      <CheckField label="As JSON" checked={isJson} onChange={(event) => setJson(event.target.checked)} />
      {shown !== against && sides.before.text === sides.after.text ? (
        <p>The two versions say the same{isJson ? "" : " in words"}.</p>
      ) : (
        <Suspense fallback={<Loading />}>
          <DiffView before={sides.before} after={sides.after} />
        </Suspense>
      )}
    </>
  );
}

function written(raw: Record<string, unknown>, names: Names, isJson: boolean): string {
  const document = readDocument(raw);
  return isJson || document === null ? JSON.stringify(raw, null, 2) : outline(document, names);
}

function UseAgain({
  path,
  workflow,
  version,
  onClose,
}: {
  path: Named;
  workflow: Workflow;
  version: Version | null;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const use = useMutation({
    mutationFn: async (number: number) => {
      const { document } = await queries.ensureQueryData(versionQuery(path, number));
      return await answer(
        api.PATCH("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", {
          params: { path },
          body: { document, expected_version: workflow.version },
        }),
      );
    },
    onSuccess: (changed) => {
      queries.setQueryData(workflowQuery(path).queryKey, changed);
      void queries.invalidateQueries({ queryKey: ["workflows", path.id] });
      notify(`Version ${changed.version} is saved, with the steps of the earlier one.`);
      onClose();
    },
  });
  return (
    <Confirm
      isOpen={version !== null}
      onClose={onClose}
      title={`Use version ${version?.version ?? ""} again?`}
      text={`Its steps become version ${workflow.version + 1}, which the next events start. Runs that are under way stay on theirs.`}
      action="Use it again"
      onSubmit={() => version && use.mutate(version.version)}
      isBusy={use.isPending}
      error={use.error}
    />
  );
}
