import { Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Card, EmptyState } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { EndpointName } from "~/screens/endpoints/EndpointName";
import { channelName } from "~/shell/channels";
import { useTenantId, useTenantName } from "~/shell/tenants";

type Outage = Schemas["Outage"];

const KINDS: Readonly<Record<Outage["kind"], string>> = {
  provider: "Provider",
  endpoint: "Endpoint",
  dead_letters: "Dead letters",
  quota: "Quota",
};

/** What is down now, and what was down lately. */
export function Outages() {
  const tenantId = useTenantId();
  const tenantName = useTenantName();
  const list = useRows<Outage>(["outages", tenantId ?? ""], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/outages", {
        params: { query: { limit: 50, ...(tenantId && { tenant_id: tenantId }), ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const columns: readonly Column<Outage>[] = [
    { header: "What", cell: (one) => <What outage={one} /> },
    ...(tenantId ? [] : [{ header: "Tenant", cell: (one: Outage) => tenantName(one.tenant_id) }]),
    {
      header: "State",
      cell: (one) => <State outage={one} />,
      isWhole: true,
    },
    {
      header: "Why",
      cell: (one) => (
        <>
          <p>{one.text}</p>
          {/* That of an endpoint is one word for what the text says. */}
          {one.detail && one.kind !== "endpoint" ? <p className="soft">{one.detail}</p> : null}
        </>
      ),
    },
    { header: "Since", cell: (one) => <Time at={one.began_at} />, isWhole: true },
    { header: "Until", cell: (one) => <Time at={one.ended_at} />, isWhole: true },
  ];
  return (
    <Card title="Outages">
      <List
        caption="Outages, newest first"
        columns={columns}
        rowKey={(one) => one.id}
        list={list}
        empty={
          <EmptyState
            title="Nothing is down"
            text="Nothing was down in the last 30 days. Every outage of a provider or endpoint is listed here, also when no alert is sent."
          />
        }
      />
    </Card>
  );
}

function State({ outage }: { outage: Outage }) {
  if (outage.ended_at) {
    return <Badge tone="good">recovered</Badge>;
  }
  return <Badge tone="bad">{outage.reason === "endpoint_disabled" ? "disabled" : "down"}</Badge>;
}

function What({ outage }: { outage: Outage }) {
  const name = outage.name ? ` ${outage.name}` : "";
  const channel = outage.channel && outage.kind === "provider" ? ` (${channelName(outage.channel)})` : "";
  const text = `${KINDS[outage.kind]}${name}${channel}`;
  switch (outage.kind) {
    case "provider":
      return (
        <Link
          to="/providers/$providerId"
          params={{ providerId: outage.object_id }}
          search={{ tenant: outage.tenant_id }}
        >
          {text}
        </Link>
      );
    case "endpoint":
      return (
        <Link
          to="/endpoints/$endpointId"
          params={{ endpointId: outage.object_id }}
          search={{ tenant: outage.tenant_id }}
        >
          {text} <EndpointName tenantId={outage.tenant_id} id={outage.object_id} isKept={!outage.ended_at} />
        </Link>
      );
    case "dead_letters":
      return (
        <Link to="/dead-letters" search={{ tenant: outage.tenant_id }}>
          {text}
        </Link>
      );
    case "quota":
      return (
        <Link to="/tenants/$tenantId" params={{ tenantId: outage.tenant_id }}>
          {text}
        </Link>
      );
  }
}
