import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { Problem } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Confirm, FormDialog } from "~/kit/Dialog";
import { TextArea, TextField } from "~/kit/Field";
import { EmptyState, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import styles from "./Endpoints.module.css";
import type { EventType } from "./queries";
import { Sections } from "./Sections";

export const lazyRoute = createLazyRoute("/frame/endpoints/event-types")({ component: EventTypesScreen });

const LIMIT = 50;

function EventTypesScreen() {
  const tenantId = useTenantId();
  const mayChange = may(useSession(), "developer", useTenant());
  const [edited, setEdited] = useState<EventType | "new">();
  const create =
    tenantId && mayChange ? (
      <Button look="primary" onClick={() => setEdited("new")}>
        Create an event type
      </Button>
    ) : null;
  return (
    <Page
      title="Event types"
      text="What endpoints can subscribe to. Mail, text messages and push do not need one: their events only have to have a template."
      actions={create}
    >
      {tenantId ? (
        <>
          <Sections />
          <EventTypes
            key={tenantId}
            tenantId={tenantId}
            mayChange={mayChange}
            create={create}
            onEdit={setEdited}
          />
          {edited ? (
            <TypeDialog
              tenantId={tenantId}
              edited={edited === "new" ? undefined : edited}
              onClose={() => setEdited(undefined)}
            />
          ) : null}
        </>
      ) : (
        <TenantNeeded what="event types" />
      )}
    </Page>
  );
}

interface EventTypesProps {
  tenantId: string;
  mayChange: boolean;
  create: React.ReactNode;
  onEdit: (one: EventType) => void;
}

function EventTypes({ tenantId, mayChange, create, onEdit }: EventTypesProps) {
  const queries = useQueryClient();
  const [deleted, setDeleted] = useState<EventType>();
  const list = useRows(["event-types", tenantId], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/event-types", {
        params: { path: { id: tenantId }, query: { limit: LIMIT, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const remove = useMutation({
    mutationFn: (one: EventType) =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/event-types/{event_type_id}", {
          params: { path: { id: tenantId, event_type_id: one.id } },
        }),
      ),
    onSuccess: (_, one) => {
      setDeleted(undefined);
      notify(`${one.name} was deleted.`);
      return queries.invalidateQueries({ queryKey: ["event-types"] });
    },
  });
  const columns: Column<EventType>[] = [
    { header: "Name", cell: (row) => <code>{row.name}</code> },
    { header: "Description", cell: (row) => row.description || "–" },
    {
      header: "Subscribers",
      cell: (row) => (
        <Link to="/endpoints" search={{ event_type: row.id }}>
          {row.subscriber_count.toLocaleString()}
          <span className="unseen"> endpoints subscribe to {row.name}</span>
        </Link>
      ),
      isNumber: true,
    },
    { header: "Created", cell: (row) => <Time at={row.created_at} />, isWhole: true },
  ];
  if (mayChange) {
    columns.push({
      header: "",
      cell: (row) => (
        <div className={styles.buttons}>
          <Button size="small" onClick={() => onEdit(row)}>
            Edit description<span className="unseen"> of {row.name}</span>
          </Button>
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
        caption="Event types"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        empty={
          <EmptyState
            title="This tenant has no event type yet"
            text="An event type names what happens, such as order.shipped. Endpoints subscribe to types, and get the events that are sent with this name. Names that the tenant sends already are offered when an endpoint subscribes."
            action={create}
          />
        }
      />
      <Confirm
        key={deleted?.id}
        isOpen={deleted !== undefined}
        onClose={() => setDeleted(undefined)}
        title={`Delete ${deleted?.name ?? ""}?`}
        text="The subscriptions to it are deleted, too: endpoints get no further events of this type."
        action="Delete event type"
        name={deleted?.name ?? ""}
        onSubmit={() => deleted && remove.mutate(deleted)}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </>
  );
}

interface TypeDialogProps {
  tenantId: string;
  edited: EventType | undefined;
  onClose: () => void;
}

function TypeDialog({ tenantId, edited, onClose }: TypeDialogProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(edited?.name ?? "");
  const [description, setDescription] = useState(edited?.description ?? "");
  const save = useMutation({
    mutationFn: () =>
      edited
        ? answer(
            api.PATCH("/api/v1/admin/tenants/{id}/event-types/{event_type_id}", {
              params: { path: { id: tenantId, event_type_id: edited.id } },
              body: { description },
            }),
          )
        : answer(
            api.POST("/api/v1/admin/tenants/{id}/event-types", {
              params: { path: { id: tenantId } },
              body: { name: name.trim(), description },
            }),
          ),
    onSuccess: (one) => {
      notify(edited ? `The description of ${one.name} is saved.` : `${one.name} was created.`);
      onClose();
      return queries.invalidateQueries({ queryKey: ["event-types"] });
    },
  });
  const fields = save.error instanceof Problem ? save.error.fields : new Map<string, string>();
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={edited ? `Description of ${edited.name}` : "Create an event type"}
      action={edited ? "Save" : "Create event type"}
      onSubmit={() => save.mutate()}
      isBusy={save.isPending}
      error={fields.size > 0 ? null : save.error}
      isDisabled={name.trim() === ""}
    >
      {edited ? null : (
        <TextField
          label="Name"
          help="Lower-case words with dots between them. It cannot be changed later."
          placeholder="order.shipped"
          value={name}
          onChange={(event) => setName(event.target.value)}
          error={fields.get("name")}
          autoComplete="off"
          spellCheck={false}
        />
      )}
      <TextArea
        label="Description"
        help="What it means and what it carries. Customers see it in the portal."
        isOptional
        value={description}
        onChange={(event) => setDescription(event.target.value)}
        error={fields.get("description")}
      />
    </FormDialog>
  );
}
