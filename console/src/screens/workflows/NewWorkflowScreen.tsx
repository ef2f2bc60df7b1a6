import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Card, Page } from "~/kit/Page";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { WorkflowEditor } from "./editor/WorkflowEditor";
import { STARTERS, type Starter } from "./starters";
import styles from "./Workflows.module.css";

export const lazyRoute = createLazyRoute("/frame/workflows/new")({ component: NewWorkflowScreen });

function NewWorkflowScreen() {
  const tenantId = useTenantId();
  const [starter, setStarter] = useState<Starter>();
  return (
    <Page
      title="New workflow"
      text="Nothing is sent before you activate it. Try it for one person first: a dry run sends nothing."
    >
      {tenantId === undefined ? (
        <TenantNeeded what="workflows" />
      ) : starter === undefined ? (
        <Choose onChoose={setStarter} />
      ) : (
        <Begin key={`${tenantId}/${starter.name}`} tenantId={tenantId} starter={starter} />
      )}
    </Page>
  );
}

function Choose({ onChoose }: { onChoose: (starter: Starter) => void }) {
  return (
    <Card title="What to begin with">
      <ul className={styles.starters}>
        {STARTERS.map((one) => (
          <li key={one.name}>
            <h3>{one.name}</h3>
            <p>{one.text}</p>
            <Button onClick={() => onChoose(one)} aria-label={`Begin with this: ${one.name}`}>
              Begin with this
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Begin({ tenantId, starter }: { tenantId: string; starter: Starter }) {
  const navigate = useNavigate();
  const { event_type = "" } = lazyRoute.useSearch();
  const mayChange = may(useSession(), "developer", useTenant());
  const [start] = useState(() => ({
    name: "",
    description: "",
    event_type,
    document: starter.make(),
  }));
  return (
    <WorkflowEditor
      tenantId={tenantId}
      workflow={null}
      start={start}
      mayChange={mayChange}
      onSaved={(made) =>
        void navigate({ to: "/workflows/$workflowId", params: { workflowId: made.id }, replace: true })
      }
    />
  );
}
