import { createLazyRoute, Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { TextField } from "~/kit/Field";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenantId } from "~/shell/tenants";
import styles from "./recipients.module.css";

export const lazyRoute = createLazyRoute("/frame/recipients")({ component: RecipientsScreen });

type Stored = Schemas["StoredRecipient"];

function RecipientsScreen() {
  const tenantId = useTenantId();
  return (
    <Page
      title="Recipients"
      text="The people whom a tenant stores, and everybody else by their id: what they got, their inbox, and erasing them."
    >
      {tenantId ? <Recipients key={tenantId} tenantId={tenantId} /> : <TenantNeeded what="recipients" />}
    </Page>
  );
}

function Recipients({ tenantId }: { tenantId: string }) {
  const { address, tag } = useSearch({ from: "/frame/recipients" });
  const list = useRows(["recipients", tenantId, address ?? "", tag ?? ""], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/recipients", {
        params: {
          path: { id: tenantId },
          query: {
            limit: 50,
            ...(address && { address }),
            ...(tag && { tag }),
            ...(cursor && { cursor }),
          },
        },
        signal,
      }),
    ),
  );
  return (
    <>
      <Find tenantId={tenantId} />
      <List
        caption="Stored recipients"
        list={list}
        rowKey={(row: Stored) => row.recipient_id}
        empty={<None address={address} tag={tag} />}
        columns={[
          {
            header: "Id",
            cell: (row) => (
              <Link
                to="/recipients/$recipientId"
                params={{ recipientId: row.recipient_id }}
                search={{ tenant: tenantId }}
              >
                <bdi>{row.recipient_id}</bdi>
              </Link>
            ),
          },
          { header: "Name", cell: (row) => <bdi>{row.name}</bdi> },
          { header: "E-mail", cell: (row) => <bdi>{row.email}</bdi> },
          { header: "Phone", cell: (row) => <bdi>{row.phone}</bdi>, isWhole: true },
          { header: "Language", cell: (row) => row.locale, isWhole: true },
          {
            header: "Tags",
            cell: (row) =>
              row.tags.length > 0 ? (
                <span className={styles.tags}>
                  {row.tags.map((one) => (
                    <Badge key={one}>{one}</Badge>
                  ))}
                </span>
              ) : null,
          },
          { header: "Stored", cell: (row) => <Time at={row.created_at} />, isWhole: true },
        ]}
      />
    </>
  );
}

function Find({ tenantId }: { tenantId: string }) {
  const navigate = useNavigate();
  const { address, tag } = useSearch({ from: "/frame/recipients" });
  const [id, setId] = useState("");
  const [typedAddress, setAddress] = useState(address ?? "");
  const [typedTag, setTag] = useState(tag ?? "");
  const open = (event: FormEvent) => {
    event.preventDefault();
    if (id) {
      void navigate({
        to: "/recipients/$recipientId",
        params: { recipientId: id },
        search: { tenant: tenantId },
      });
    }
  };
  const filter = (event: FormEvent) => {
    event.preventDefault();
    void navigate({
      to: "/recipients",
      search: {
        tenant: tenantId,
        address: typedAddress.trim() || undefined,
        tag: typedTag.trim() || undefined,
      },
    });
  };
  return (
    <Filters active={countSet(address, tag)}>
      <form onSubmit={open}>
        <TextField
          label="Open by id"
          help="Also of people who are not stored."
          value={id}
          autoComplete="off"
          onChange={(event) => setId(event.target.value)}
        />
        <Button type="submit">Open the recipient</Button>
      </form>
      <form onSubmit={filter}>
        <TextField
          label="Address"
          help="E-mail or phone, in full."
          value={typedAddress}
          autoComplete="off"
          onChange={(event) => setAddress(event.target.value)}
        />
        <TextField
          label="Tag"
          value={typedTag}
          autoComplete="off"
          onChange={(event) => setTag(event.target.value)}
        />
        <Button type="submit">Filter the list</Button>
      </form>
    </Filters>
  );
}

function None({ address, tag }: { address: string | undefined; tag: string | undefined }) {
  const tenantId = useTenantId();
  if (address) {
    return (
      <EmptyState
        title="No stored recipient has this address"
        text="Somebody whom events describe themselves is not stored. Look for what was sent to the address."
        action={
          <LinkButton to="/messages" search={{ tenant: tenantId, recipient: address }}>
            Find messages to {address}
          </LinkButton>
        }
      />
    );
  }
  return (
    <EmptyState
      title={tag ? "No stored recipient has this tag" : "No recipient is stored"}
      text="Events can describe their recipients themselves, so storing them is not needed. Stored recipients can be in groups, and events can name them by their id. Programs store them by the admin API (PUT /tenants/{id}/recipients/{recipient_id})."
      action={
        tag ? (
          <LinkButton to="/recipients" search={{ tenant: tenantId }}>
            Remove the filter
          </LinkButton>
        ) : (
          <LinkButton to="/messages" search={{ tenant: tenantId }}>
            See who got messages
          </LinkButton>
        )
      }
    />
  );
}
