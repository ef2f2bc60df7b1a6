import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { Problem } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { Confirm, FormDialog } from "~/kit/Dialog";
import { CheckField, SelectField, TextField } from "~/kit/Field";
import { EmptyState, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import styles from "./Endpoints.module.css";
import type { Application } from "./queries";
import { Sections } from "./Sections";

export const lazyRoute = createLazyRoute("/frame/endpoints/applications")({ component: ApplicationsScreen });

const LIMIT = 50;

function ApplicationsScreen() {
  const tenantId = useTenantId();
  const session = useSession();
  const tenant = useTenant();
  const mayChange = may(session, "developer", tenant);
  // The portal shows the secrets of its endpoints.
  const mayOpen = may(session, "operator", tenant);
  const [isCreating, setCreating] = useState(false);
  const create =
    tenantId && mayChange ? (
      <Button look="primary" onClick={() => setCreating(true)}>
        Create an application
      </Button>
    ) : null;
  return (
    <Page
      title="Applications"
      text="Customers of the tenant, who manage endpoints of their own in the portal."
      actions={create}
    >
      {tenantId ? (
        <>
          <Sections />
          <Applications
            key={tenantId}
            tenantId={tenantId}
            mayChange={mayChange}
            mayOpen={mayOpen}
            create={create}
          />
          {isCreating ? <NewDialog tenantId={tenantId} onClose={() => setCreating(false)} /> : null}
        </>
      ) : (
        <TenantNeeded what="applications" />
      )}
    </Page>
  );
}

interface ApplicationsProps {
  tenantId: string;
  mayChange: boolean;
  mayOpen: boolean;
  create: React.ReactNode;
}

function Applications({ tenantId, mayChange, mayOpen, create }: ApplicationsProps) {
  const queries = useQueryClient();
  const [deleted, setDeleted] = useState<Application>();
  const [opened, setOpened] = useState<Application>();
  const list = useRows(["applications", tenantId], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/applications", {
        params: { path: { id: tenantId }, query: { limit: LIMIT, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const remove = useMutation({
    mutationFn: (one: Application) =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/applications/{application_id}", {
          params: { path: { id: tenantId, application_id: one.id } },
        }),
      ),
    onSuccess: (_, one) => {
      setDeleted(undefined);
      notify(`${one.name} was deleted.`);
      return queries.invalidateQueries({ queryKey: ["applications"] });
    },
  });
  const columns: Column<Application>[] = [
    {
      header: "Name",
      cell: (row) => (
        <Link to="/endpoints" search={{ application: row.id }}>
          {row.name}
        </Link>
      ),
    },
    { header: "Your id", cell: (row) => row.external_id ?? "–" },
    {
      header: "Endpoints at most",
      cell: (row) => row.max_endpoints?.toLocaleString() ?? "no limit",
      isNumber: true,
    },
    { header: "Chooses event types", cell: (row) => (row.show_event_types ? "yes" : "no") },
    { header: "Created", cell: (row) => <Time at={row.created_at} />, isWhole: true },
  ];
  if (mayChange) {
    columns.push({
      header: "",
      cell: (row) => (
        <div className={styles.buttons}>
          {mayOpen ? (
            <Button size="small" onClick={() => setOpened(row)}>
              Make a link to the portal …<span className="unseen"> of {row.name}</span>
            </Button>
          ) : null}
          <Button size="small" onClick={() => setDeleted(row)}>
            Delete<span className="unseen"> {row.name}</span>
          </Button>
        </div>
      ),
    });
  }
  return (
    <>
      <List
        caption="Applications"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        empty={
          <EmptyState
            title="This tenant has no application yet"
            text="An application is a customer of the tenant with endpoints of its own. The customer manages them in the portal, by a link that your site makes."
            action={create}
          />
        }
      />
      {opened ? <PortalDialog application={opened} onClose={() => setOpened(undefined)} /> : null}
      <Confirm
        key={deleted?.id}
        isOpen={deleted !== undefined}
        onClose={() => setDeleted(undefined)}
        title={`Delete ${deleted?.name ?? ""}?`}
        text="Its endpoints are deleted, too, and its links to the portal end."
        action="Delete application"
        name={deleted?.name ?? ""}
        onSubmit={() => deleted && remove.mutate(deleted)}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </>
  );
}

function NewDialog({ tenantId, onClose }: { tenantId: string; onClose: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [externalId, setExternalId] = useState("");
  const [shows, setShows] = useState(true);
  const create = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/applications", {
          params: { path: { id: tenantId } },
          body: {
            name: name.trim(),
            show_event_types: shows,
            ...(externalId.trim() && { external_id: externalId.trim() }),
          },
        }),
      ),
    onSuccess: (one) => {
      notify(`${one.name} was created.`);
      onClose();
      return queries.invalidateQueries({ queryKey: ["applications"] });
    },
  });
  const fields = create.error instanceof Problem ? create.error.fields : new Map<string, string>();
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title="Create an application"
      action="Create application"
      onSubmit={() => create.mutate()}
      isBusy={create.isPending}
      error={fields.size > 0 ? null : create.error}
      isDisabled={name.trim() === ""}
    >
      <TextField
        label="Name"
        value={name}
        onChange={(event) => setName(event.target.value)}
        error={fields.get("name")}
        autoComplete="off"
      />
      <TextField
        label="Your id"
        help="How your own system calls this customer."
        isOptional
        value={externalId}
        onChange={(event) => setExternalId(event.target.value)}
        error={fields.get("external_id")}
        autoComplete="off"
      />
      <CheckField
        label="The customer chooses event types"
        help="Only those that are published in the endpoint's environment."
        checked={shows}
        onChange={(event) => setShows(event.target.checked)}
      />
    </FormDialog>
  );
}

type PortalRole = "editor" | "viewer";

function PortalDialog({ application, onClose }: { application: Application; onClose: () => void }) {
  const [role, setRole] = useState<PortalRole>("editor");
  const open = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/applications/{application_id}/portal", {
          params: { path: { id: application.tenant_id, application_id: application.id } },
          body: { role },
        }),
      ),
    gcTime: 0,
  });
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={`Link to the portal of ${application.name}`}
      text="The link can be opened once. The session ends with the time below."
      action={open.data ? "Make another link" : "Make a link"}
      onSubmit={() => open.mutate()}
      isBusy={open.isPending}
      error={open.error}
    >
      <SelectField
        label="Role"
        help={
          role === "editor"
            ? "Creates and changes endpoints, sees secrets."
            : "Sees the same pages, and changes nothing."
        }
        value={role}
        onChange={(event) => setRole(event.target.value as PortalRole)}
      >
        <option value="editor">Editor</option>
        <option value="viewer">Viewer</option>
      </SelectField>
      <div aria-live="polite">
        {open.data ? (
          <>
            <Copyable text={open.data.url} what="the link" />
            <p className={styles.soft}>
              Ends <Time at={open.data.expires_at} />.
            </p>
          </>
        ) : null}
      </div>
    </FormDialog>
  );
}
