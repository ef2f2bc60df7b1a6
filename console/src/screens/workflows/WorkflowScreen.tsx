import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { isNotFound } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { CodeBlock } from "~/kit/Copy";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { notify, notifyError } from "~/kit/Toast";
import { FindTenant } from "~/shell/FindTenant";
import { NotOfTenant } from "~/shell/NotOfTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { type Named, type Workflow, workflowQuery } from "./data";
import { contentOf } from "./editor/content";
import { WorkflowEditor } from "./editor/WorkflowEditor";
import { Runs } from "./Runs";

export const lazyRoute = createLazyRoute("/frame/workflows/$workflowId")({ component: WorkflowScreen });

function WorkflowScreen() {
  const tenantId = useTenantId();
  const { workflowId } = lazyRoute.useParams();
  if (!tenantId) {
    return (
      <Page title="Workflow">
        <FindTenant key={workflowId} kind="workflow" id={workflowId} what="workflows" />
      </Page>
    );
  }
  return <Loaded key={workflowId} path={{ id: tenantId, workflow_id: workflowId }} />;
}

function Loaded({ path }: { path: Named }) {
  const workflow = useQuery(workflowQuery(path));
  if (isNotFound(workflow.error)) {
    return <NotOfTenant what="workflow" list={<LinkButton to="/workflows">All workflows</LinkButton>} />;
  }
  if (workflow.error) {
    return (
      <Page title="Workflow" actions={<LinkButton to="/workflows">All workflows</LinkButton>}>
        <ErrorNote error={workflow.error} onRetry={() => void workflow.refetch()} />
      </Page>
    );
  }
  return workflow.data ? (
    <OneWorkflow workflow={workflow.data} path={path} />
  ) : (
    <Page title="Workflow">
      <Loading />
    </Page>
  );
}

function OneWorkflow({ workflow, path }: { workflow: Workflow; path: Named }) {
  const mayChange = may(useSession(), "developer", useTenant());
  const content = contentOf(workflow);
  return (
    <Page
      title={workflow.name}
      heading={
        <>
          <bdi>{workflow.name}</bdi>{" "}
          {workflow.active ? <Badge tone="good">active</Badge> : <Badge>not active</Badge>}
        </>
      }
      text={`Version ${workflow.version}. ${runsWords(workflow.open_runs)}`}
      actions={<Actions workflow={workflow} path={path} mayChange={mayChange} />}
    >
      {content === null ? (
        <Card title="Document">
          <p>A newer version of Clarion wrote this workflow. It can be read here, and changed by the API.</p>
          <CodeBlock text={JSON.stringify(workflow.document, null, 2)} what="document" />
        </Card>
      ) : (
        <WorkflowEditor tenantId={path.id} workflow={workflow} start={content} mayChange={mayChange} />
      )}
      <Runs path={path} />
    </Page>
  );
}

function runsWords(open: number): string {
  switch (open) {
    case 0:
      return "No run of it is under way.";
    case 1:
      return "1 run of it is under way.";
    default:
      return `${open.toLocaleString()} runs of it are under way.`;
  }
}

function Actions({ workflow, path, mayChange }: { workflow: Workflow; path: Named; mayChange: boolean }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asked, setAsked] = useState<"delete" | "deactivate" | null>(null);
  const params = { path };
  const activate = useMutation({
    mutationFn: (active: boolean) =>
      answer(
        api.PATCH("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", {
          params,
          body: { active, expected_version: 0 },
        }),
      ),
    onSuccess: (changed) => {
      queries.setQueryData(workflowQuery(path).queryKey, changed);
      void queries.invalidateQueries({ queryKey: ["workflows", path.id, "list"] });
      setAsked(null);
      notify(
        changed.active
          ? `${changed.name} is active: the next event of the type ${changed.event_type} starts it.`
          : `${changed.name} is not active any more.`,
      );
    },
  });
  const remove = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", { params })),
    onSuccess: async () => {
      notify(`${workflow.name} was deleted.`);
      await navigate({ to: "/workflows" });
      queries.removeQueries({ queryKey: ["workflows", path.id, path.workflow_id] });
      void queries.invalidateQueries({ queryKey: ["workflows", path.id, "list"] });
    },
  });
  return (
    <>
      <LinkButton to="/workflows">All workflows</LinkButton>
      <LinkButton to="/workflows/$workflowId/versions" params={{ workflowId: workflow.id }}>
        Versions
      </LinkButton>
      {mayChange && workflow.active ? (
        <LinkButton to="/triggers/new" search={{ workflow: workflow.id }}>
          Trigger it
        </LinkButton>
      ) : null}
      {mayChange ? (
        <>
          <Button look="danger" onClick={() => setAsked("delete")}>
            Delete …
          </Button>
          {workflow.active ? (
            <Button onClick={() => setAsked("deactivate")}>Deactivate …</Button>
          ) : (
            <Button
              look="primary"
              isBusy={activate.isPending}
              onClick={() => activate.mutate(true, { onError: notifyError })}
            >
              Activate
            </Button>
          )}
        </>
      ) : null}
      <Confirm
        isOpen={asked === "deactivate"}
        onClose={() => setAsked(null)}
        title={`Deactivate ${workflow.name}?`}
        text={`Events of the type ${workflow.event_type} do not start it any more. Runs that are under way go on to their end.`}
        action="Deactivate"
        onSubmit={() => activate.mutate(false)}
        isBusy={activate.isPending}
        error={activate.error}
      />
      <Confirm
        isOpen={asked === "delete"}
        onClose={() => setAsked(null)}
        title={`Delete ${workflow.name}?`}
        text="All its versions are deleted, and runs that are under way end. What was sent stays in the messages."
        action="Delete workflow"
        name={workflow.name}
        onSubmit={() => remove.mutate()}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </>
  );
}
