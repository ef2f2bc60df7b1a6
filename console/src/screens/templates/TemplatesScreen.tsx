import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { LinkButton } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import { word } from "~/shell/search";
import { useTenant, useTenantId, useTenantName } from "~/shell/tenants";
import { type Channel, type Language, languageName } from "./data";
import { CHANNELS } from "./routes";

export const lazyRoute = createLazyRoute("/frame/templates")({ component: TemplatesScreen });

function TemplatesScreen() {
  const tenantId = useTenantId();
  const { channel, state, owner, q } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const nameOf = useTenantName();
  const session = useSession();
  const tenant = useTenant();
  // Without a tenant in sight, the next screen asks for one.
  const mayWrite = tenantId === undefined || may(session, "developer", tenant);
  const list = useRows<Language>(
    ["templates", "languages", tenantId, channel, state, owner, q],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/template-languages", {
          params: {
            query: {
              ...(tenantId && owner !== "platform" && { tenant_id: tenantId }),
              ...(owner && { platform: "true" as const }),
              ...(channel && { channel }),
              ...(state && { active: "true" as const }),
              ...(q && { search: q }),
              ...(cursor && { cursor }),
            },
          },
          signal,
        }),
      ),
  );
  const filter = (change: {
    channel?: Channel | undefined;
    state?: "active" | undefined;
    owner?: "platform" | "both" | undefined;
    q?: string | undefined;
  }) =>
    void navigate({
      to: "/templates",
      search: { channel, state, owner, q, ...change },
      replace: true,
    });
  const isFiltered = Boolean(channel || state || q);
  return (
    <Page
      title="Templates"
      text="What messages are made of: one template per event type, channel and language. The active version is sent."
      actions={
        <>
          <LinkButton to="/templates/parts">Layouts and partials</LinkButton>
          {mayWrite ? (
            <LinkButton to="/templates/new" look="primary">
              New template
            </LinkButton>
          ) : null}
        </>
      }
    >
      <Filters active={countSet(q, channel, owner, state)}>
        <TextField
          label="Event type"
          type="search"
          placeholder="A part of it"
          defaultValue={q ?? ""}
          onChange={(event) => filter({ q: event.target.value || undefined })}
        />
        <SelectField
          label="Channel"
          value={channel ?? ""}
          onChange={(event) => filter({ channel: word(event.target.value, CHANNELS) })}
        >
          <option value="">All</option>
          {CHANNELS.map((one) => (
            <option key={one} value={one}>
              {channelName(one)}
            </option>
          ))}
        </SelectField>
        {tenantId === undefined ? null : (
          <SelectField
            label="Owner"
            value={owner ?? ""}
            onChange={(event) => filter({ owner: word(event.target.value, ["platform", "both"]) })}
          >
            <option value="">The tenant</option>
            <option value="platform">The platform, for all tenants</option>
            <option value="both">Both</option>
          </SelectField>
        )}
        <SelectField
          label="State"
          value={state ?? ""}
          onChange={(event) => filter({ state: word(event.target.value, ["active"]) })}
        >
          <option value="">All</option>
          <option value="active">With an active version</option>
        </SelectField>
      </Filters>
      <List
        caption="Templates by event type, channel and language"
        columns={columns(tenantId === undefined ? nameOf : null)}
        list={list}
        rowKey={(row) => row.newest.id}
        empty={
          isFiltered ? (
            <EmptyState
              title="No template matches"
              text="Change the filters, or write this template."
              action={
                <LinkButton
                  to={mayWrite ? "/templates/new" : "/templates"}
                  search={mayWrite ? { event_type: q, channel } : {}}
                >
                  {mayWrite ? "Write this template" : "Remove the filters"}
                </LinkButton>
              }
            />
          ) : (
            <EmptyState
              title="No templates yet"
              text="A template turns an event of your program into a message. Begin with one of ours and change it. Events of the types global.* have templates of the platform already."
              action={
                mayWrite ? (
                  <LinkButton to="/templates/new" look="primary">
                    Write the first template
                  </LinkButton>
                ) : null
              }
            />
          )
        }
      />
    </Page>
  );
}

function columns(nameOf: ((id: string) => string) | null): Column<Language>[] {
  const owner: Column<Language> = {
    header: "Tenant",
    cell: (row) => (row.tenant_id === null ? "Platform" : nameOf?.(row.tenant_id)),
  };
  return [
    {
      header: "Event type",
      cell: (row) => (
        <>
          <Link to="/templates/$templateId" params={{ templateId: row.newest.id }}>
            {row.event_type}
          </Link>
          {nameOf === null && row.tenant_id === null ? " (platform)" : ""}
        </>
      ),
    },
    ...(nameOf === null ? [] : [owner]),
    { header: "Channel", cell: (row) => channelName(row.channel), isWhole: true },
    { header: "Language", cell: (row) => languageName(row.locale) },
    {
      header: "Active",
      cell: (row) =>
        row.active ? (
          <Badge tone="good">version {row.active.version}</Badge>
        ) : (
          <Badge tone="wait">none</Badge>
        ),
      isWhole: true,
    },
    {
      header: "Newest",
      cell: (row) => (
        <>
          version {row.newest.version}, <Time at={row.newest.created_at} />
        </>
      ),
    },
    {
      header: "",
      cell: (row) => (
        <LinkButton
          size="small"
          to="/templates/$templateId/edit"
          params={{ templateId: row.newest.id }}
          aria-label={`Edit ${row.event_type}, ${channelName(row.channel)}, ${languageName(row.locale)}`}
        >
          Edit
        </LinkButton>
      ),
    },
  ];
}
