import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useTenantId, useTenantName } from "~/shell/tenants";
import { NewSuppression } from "./NewSuppression";
import { CHANNELS, REASONS, type SuppressionsSearch } from "./routes";
import styles from "./suppressions.module.css";

export const lazyRoute = createLazyRoute("/frame/suppressions")({ component: SuppressionsScreen });

type Suppression = Schemas["Suppression"];

const WHY: Readonly<Record<string, string>> = {
  bounced: "A message to the address bounced.",
  complained: "Its owner complained, or opted out.",
  unsubscribed: "Its owner unsubscribed from such mail.",
  manual: "Somebody suppressed it by hand.",
};

function SuppressionsScreen() {
  const tenantId = useTenantId();
  return (
    <Page
      title="Suppressions"
      text="Addresses that get no more messages of a tenant. Providers report them, recipients unsubscribe, or you add them."
      actions={<NewSuppression tenantId={tenantId} />}
    >
      <Find key={tenantId ?? ""} />
      <Suppressions />
    </Page>
  );
}

function Find() {
  const navigate = useNavigate({ from: "/suppressions" });
  const tenantId = useTenantId();
  const { channel, reason, address } = useSearch({ from: "/frame/suppressions" });
  const [typed, setTyped] = useState(address ?? "");
  const filter = (changed: SuppressionsSearch) =>
    void navigate({ to: ".", search: (before) => ({ ...before, ...changed }), replace: true });
  return (
    <Filters active={countSet(channel, reason, tenantId && address)}>
      <SelectField
        label="Channel"
        value={channel ?? ""}
        onChange={(event) => filter({ channel: CHANNELS.find((one) => one === event.target.value) })}
      >
        <option value="">All</option>
        <option value="EMAIL">E-mail</option>
        <option value="SMS">SMS</option>
      </SelectField>
      <SelectField
        label="Why"
        value={reason ?? ""}
        onChange={(event) => filter({ reason: REASONS.find((one) => one === event.target.value) })}
      >
        <option value="">All</option>
        {REASONS.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </SelectField>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          filter({ address: typed.trim() || undefined });
        }}
      >
        <TextField
          label="Address"
          help={tenantId ? "In full: it is not stored readably." : "Choose a tenant first."}
          value={typed}
          disabled={!tenantId}
          autoComplete="off"
          onChange={(event) => setTyped(event.target.value)}
        />
        <Button type="submit" disabled={!tenantId}>
          Find
        </Button>
      </form>
    </Filters>
  );
}

function Suppressions() {
  const tenantId = useTenantId();
  const tenantName = useTenantName();
  const { channel, reason, address } = useSearch({ from: "/frame/suppressions" });
  const sought = tenantId ? address : undefined;
  const query = {
    ...(tenantId && { tenant_id: tenantId }),
    ...(channel && { channel }),
    ...(reason && { reason }),
    ...(sought && { address: sought }),
  };
  const list = useRows(["suppressions", query], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/suppressions", {
        params: { query: { ...query, limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const isFiltered = Boolean(channel || reason || sought);
  return (
    <List
      caption="Suppressions"
      list={list}
      rowKey={(row: Suppression) => row.id}
      empty={
        <EmptyState
          title={isFiltered ? "No suppression matches" : "No address is suppressed"}
          text={
            isFiltered
              ? "Messages are sent to such addresses. Change the filters to see others."
              : "When a message bounces or somebody unsubscribes, the address is listed here and gets no more messages. Providers report that once their delivery reports are set up."
          }
          action={
            isFiltered ? (
              <LinkButton to="/suppressions" search={{ tenant: tenantId }}>
                Remove the filters
              </LinkButton>
            ) : (
              <LinkButton to="/providers" search={{ tenant: tenantId }}>
                Set up delivery reports
              </LinkButton>
            )
          }
        />
      }
      columns={[
        {
          header: "Address",
          cell: (row) => (
            <>
              <bdi>{row.address}</bdi>
              {row.detail ? (
                <div className={styles.soft}>
                  <bdi>{row.detail}</bdi>
                </div>
              ) : null}
            </>
          ),
        },
        {
          header: "Channel",
          cell: (row) => channelName(row.channel),
          isWhole: true,
        },
        {
          header: "Why",
          cell: (row) => (
            <>
              <Badge tone="wait">{row.reason}</Badge> <span className={styles.soft}>{WHY[row.reason]}</span>
            </>
          ),
        },
        { header: "From", cell: (row) => row.source, isWhole: true },
        ...(tenantId
          ? []
          : [{ header: "Tenant", cell: (row: Suppression) => <bdi>{tenantName(row.tenant_id)}</bdi> }]),
        { header: "Since", cell: (row) => <Time at={row.created_at} />, isWhole: true },
        { header: "", cell: (row) => <Lift suppression={row} /> },
      ]}
    />
  );
}

function Lift({ suppression }: { suppression: Suppression }) {
  const queries = useQueryClient();
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === suppression.tenant_id);
  const [isOpen, setOpen] = useState(false);
  const lifting = useMutation({
    mutationFn: () =>
      answer(api.DELETE("/api/v1/admin/suppressions/{id}", { params: { path: { id: suppression.id } } })),
    onSuccess: () => {
      setOpen(false);
      notify("Lifted: the next message is sent.");
      void queries.invalidateQueries({ queryKey: ["suppressions"] });
    },
  });
  if (!may(session, "operator", tenant)) {
    return null;
  }
  const isPersons = suppression.reason === "unsubscribed" || suppression.reason === "complained";
  return (
    <>
      <Button size="small" onClick={() => setOpen(true)} aria-label={`Lift ${suppression.address}`}>
        Lift
      </Button>
      <Confirm
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={`Lift the suppression of ${suppression.address}?`}
        text={
          isPersons
            ? "The owner of the address asked for it. Lift it only if they want messages again."
            : "The next message to the address is sent."
        }
        action="Lift"
        onSubmit={() => lifting.mutate()}
        isBusy={lifting.isPending}
        error={lifting.error}
      />
    </>
  );
}
