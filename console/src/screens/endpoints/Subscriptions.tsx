import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { EmptyState } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import styles from "./Endpoints.module.css";
import { eventTypesQuery, knownTypesQuery, type Named, subscriptionsQuery } from "./queries";
import { SubscribeDialog } from "./SubscribeDialog";

export type Subscription = Schemas["Subscription"];

/** Which events an endpoint gets, each with its filter. */
export function Subscriptions({ path, mayChange }: { path: Named; mayChange: boolean }) {
  const queries = useQueryClient();
  const subscriptions = useQuery(subscriptionsQuery(path));
  const types = useQuery(eventTypesQuery(path.id));
  const known = useQuery(knownTypesQuery(path.id));
  const [edited, setEdited] = useState<Subscription | "new">();
  const [ended, setEnded] = useState<Subscription>();
  const unsubscribe = useMutation({
    mutationFn: (one: Subscription) =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/subscriptions/{event_type_id}", {
          params: { path: { ...path, event_type_id: one.event_type_id } },
        }),
      ),
    onSuccess: (_, one) => {
      setEnded(undefined);
      notify(`The endpoint does not get ${one.event_type} any more.`);
      return queries.invalidateQueries({ queryKey: ["endpoints"] });
    },
  });
  if (subscriptions.error) {
    return <ErrorNote error={subscriptions.error} onRetry={() => void subscriptions.refetch()} />;
  }
  if (!subscriptions.data) {
    return <Loading />;
  }
  const columns: Column<Subscription>[] = [
    { header: "Event type", cell: (row) => <code>{row.event_type}</code> },
    {
      header: "Filter",
      cell: (row) =>
        row.filter ? <code className={styles.cut}>{JSON.stringify(row.filter)}</code> : "None: all events",
    },
    { header: "Since", cell: (row) => <Time at={row.created_at} />, isWhole: true },
  ];
  if (mayChange) {
    columns.push({
      header: "",
      cell: (row) => (
        <div className={styles.buttons}>
          <Button size="small" onClick={() => setEdited(row)}>
            {row.filter ? "Edit filter" : "Add a filter"}
            <span className="unseen"> of {row.event_type}</span>
          </Button>
          <Button size="small" onClick={() => setEnded(row)}>
            Unsubscribe<span className="unseen"> from {row.event_type}</span>
          </Button>
        </div>
      ),
    });
  }
  const add = mayChange ? (
    <Button look="primary" onClick={() => setEdited("new")}>
      Subscribe to event types
    </Button>
  ) : null;
  return (
    <div className={styles.stack}>
      {subscriptions.data.length === 0 ? (
        types.data?.length === 0 && known.data?.length === 0 ? (
          <EmptyState
            title="There is no event type yet"
            text="Create event types, such as order.shipped, and then subscribe this endpoint to them."
            action={<LinkButton to="/endpoints/event-types">Go to Event types</LinkButton>}
          />
        ) : (
          <EmptyState
            title="It subscribes to nothing yet"
            text="An endpoint gets the events of the types that it subscribes to. A filter can leave out some of them."
            action={add}
          />
        )
      ) : (
        <>
          <div className={styles.buttons}>{add}</div>
          <Table
            caption="Subscriptions"
            columns={columns}
            rows={subscriptions.data}
            rowKey={(row) => row.id}
          />
        </>
      )}
      {edited ? (
        <SubscribeDialog
          path={path}
          edited={edited === "new" ? undefined : edited}
          subscribed={subscriptions.data.map((one) => one.event_type)}
          onClose={() => setEdited(undefined)}
        />
      ) : null}
      <Confirm
        isOpen={ended !== undefined}
        onClose={() => setEnded(undefined)}
        title={`Unsubscribe from ${ended?.event_type ?? ""}?`}
        text="The endpoint gets no further events of this type. The filter is deleted."
        action="Unsubscribe"
        onSubmit={() => ended && unsubscribe.mutate(ended)}
        isBusy={unsubscribe.isPending}
        error={unsubscribe.error}
      />
    </div>
  );
}
