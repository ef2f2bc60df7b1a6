import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { FilterText } from "~/kit/FilterText";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { segmentsQuery, tagsQuery } from "~/screens/segments/data";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { ExportButton } from "./ExportButton";
import { NewRecipientDialog } from "./NewRecipientDialog";
import styles from "./recipients.module.css";
import type { RecipientsSearch } from "./routes";
import { Sections } from "./Sections";

export const lazyRoute = createLazyRoute("/frame/recipients")({ component: RecipientsScreen });

type Stored = Schemas["StoredRecipient"];

function RecipientsScreen() {
  const tenantId = useTenantId();
  const { q, tag, segment, address } = lazyRoute.useSearch();
  const mayChange = may(useSession(), "operator", useTenant());
  const [isAdding, setAdding] = useState(false);
  return (
    <Page
      title="Recipients"
      text="The people whom a tenant stores, and everybody else by their id: what they got, their inbox, and erasing them."
      actions={
        tenantId && mayChange ? (
          <>
            {address ? null : (
              <ExportButton
                tenantId={tenantId}
                whom={{ segment_id: segment, tags: tag ? [tag] : undefined, search: q }}
              />
            )}
            <LinkButton to="/imports/new">Import people</LinkButton>
            <Button look="primary" onClick={() => setAdding(true)}>
              Store a recipient
            </Button>
          </>
        ) : null
      }
    >
      <Sections />
      {tenantId ? (
        <>
          <Recipients key={tenantId} tenantId={tenantId} mayChange={mayChange} />
          <NewRecipientDialog tenantId={tenantId} isOpen={isAdding} onClose={() => setAdding(false)} />
        </>
      ) : (
        <TenantNeeded what="recipients" />
      )}
    </Page>
  );
}

function Recipients({ tenantId, mayChange }: { tenantId: string; mayChange: boolean }) {
  const { address, tag, q, segment } = lazyRoute.useSearch();
  const list = useRows(["recipients", tenantId, address, tag, q, segment], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/recipients", {
        params: {
          path: { id: tenantId },
          query: {
            limit: 50,
            ...(address && { address }),
            ...(tag && { tag }),
            ...(q && { search: q }),
            ...(segment && { segment_id: segment }),
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
        rowKey={(row: Stored) => row.id}
        empty={<None address={address} isFiltered={countSet(tag, q, segment) > 0} mayChange={mayChange} />}
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
  const search = lazyRoute.useSearch();
  const { address, tag, q, segment } = search;
  const [id, setId] = useState("");
  const segments = useQuery(segmentsQuery(tenantId)).data ?? [];
  const tags = useQuery(tagsQuery(tenantId)).data ?? [];
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
  const filter = (change: RecipientsSearch) =>
    void navigate({ to: "/recipients", search: { ...search, ...change }, replace: true });
  return (
    <Filters active={countSet(address, tag, q, segment)}>
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
      <FilterText
        label="Search"
        placeholder="A part of an id, name, address"
        value={q}
        onFilter={(q) => filter({ q })}
      />
      <FilterText
        label="Tag"
        value={tag}
        options={tags.map((one) => one.tag)}
        onFilter={(tag) => filter({ tag })}
      />
      <SelectField
        label="Segment"
        value={segment ?? ""}
        onChange={(event) => filter({ segment: event.target.value || undefined })}
      >
        <option value="">Any</option>
        {segments.map((one) => (
          <option key={one.id} value={one.id}>
            {one.name}
          </option>
        ))}
      </SelectField>
      <FilterText
        label="Address"
        placeholder="E-mail or phone, in full"
        value={address}
        onFilter={(address) => filter({ address })}
      />
    </Filters>
  );
}

interface NoneProps {
  address: string | undefined;
  isFiltered: boolean;
  mayChange: boolean;
}

function None({ address, isFiltered, mayChange }: NoneProps) {
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
  if (isFiltered) {
    return (
      <EmptyState
        title="No stored recipient matches"
        text="Change the filters, or remove them."
        action={
          <LinkButton to="/recipients" search={{ tenant: tenantId }}>
            Remove the filters
          </LinkButton>
        }
      />
    );
  }
  return (
    <EmptyState
      title="No recipient is stored"
      text="Events can describe their recipients themselves, so storing them is not needed. Stored recipients can have tags, be in segments and groups, and events can name them by their id."
      action={
        mayChange ? (
          <LinkButton to="/imports/new" search={{ tenant: tenantId }}>
            Import people from a CSV file
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
