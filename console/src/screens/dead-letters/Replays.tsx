import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Badge, type Tone } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { Progress } from "~/kit/Meter";
import { Card } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notifyError } from "~/kit/Toast";
import { tenantsQuery, useTenantName } from "~/shell/tenants";

type Replay = Schemas["Replay"];
type Action = "pause" | "resume" | "cancel";

const LOOK_MS = 2000;
const SHOWN = 5;
const TONES: Readonly<Record<string, Tone>> = {
  running: "calm",
  paused: "wait",
  done: "good",
  cancelled: "neutral",
};
const WAITING: Readonly<Record<string, string>> = {
  backlog: "waits until fewer events of the tenant are unfinished",
  tenant_inactive: "waits until the tenant is active",
};

interface ReplaysProps {
  of: Replay["of"];
  tenantId: string | undefined;
  /** The list has changed. */
  onProgress?: () => void;
}

/** The newest replays of dead letters or of events, with their progress while they run. */
export function Replays({ of, tenantId, onProgress }: ReplaysProps) {
  const tenantName = useTenantName();
  const replays = useQuery({
    queryKey: ["replays", tenantId ?? ""],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/replays", {
          params: { query: { limit: 50, ...(tenantId && { tenant_id: tenantId }) } },
          signal,
        }),
      ),
    refetchInterval: (query) => (query.state.data?.data.some(isUnderWay) ? LOOK_MS : false),
  });
  const shown = (replays.data?.data ?? []).filter((one) => one.of === of).slice(0, SHOWN);
  const sent = shown.reduce((sum, one) => sum + one.replayed, 0);
  const before = useRef(sent);
  useEffect(() => {
    if (before.current !== sent) {
      before.current = sent;
      onProgress?.();
    }
  }, [sent, onProgress]);
  if (shown.length === 0) {
    return null;
  }
  const columns: readonly Column<Replay>[] = [
    ...(tenantId ? [] : [{ header: "Tenant", cell: (one: Replay) => tenantName(one.tenant_id) }]),
    { header: "What", cell: (one) => filterOf(one, of) },
    { header: "State", cell: (one) => <State replay={one} /> },
    { header: "Progress", cell: (one) => <Done replay={one} /> },
    { header: "Begun", cell: (one) => <Time at={one.created_at} />, isWhole: true },
    { header: "", cell: (one) => <Actions replay={one} /> },
  ];
  return (
    <Card title="Sent again">
      <Table
        caption={
          of === "events" ? "Replays of messages, newest first" : "Replays of dead letters, newest first"
        }
        columns={columns}
        rows={shown}
        rowKey={(one) => one.id}
      />
    </Card>
  );
}

function isUnderWay(replay: Replay): boolean {
  return replay.state === "running";
}

function filterOf(replay: Replay, of: Replay["of"]): string {
  const parts = [
    replay.status,
    replay.channel,
    replay.event_type,
    replay.reason,
    replay.provider,
    replay.endpoint_id,
  ];
  return parts.filter(Boolean).join(", ") || (of === "events" ? "all messages" : "all dead letters");
}

function State({ replay }: { replay: Replay }) {
  return (
    <>
      <Badge tone={TONES[replay.state] ?? "neutral"}>{replay.state}</Badge>{" "}
      {replay.waiting ? (WAITING[replay.waiting] ?? replay.waiting) : null}
    </>
  );
}

function Done({ replay }: { replay: Replay }) {
  const done = replay.replayed + replay.unplayable;
  const left = replay.unplayable > 0 ? `, ${replay.unplayable.toLocaleString()} without their content` : "";
  const total = replay.found === null ? "" : ` of ${replay.found.toLocaleString()}`;
  return (
    <>
      <Progress label="Replayed" done={done} total={replay.found} />
      <span>
        {replay.replayed.toLocaleString()}
        {total} sent{left}
      </span>
    </>
  );
}

function Actions({ replay }: { replay: Replay }) {
  const queries = useQueryClient();
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === replay.tenant_id);
  const act = useMutation({
    mutationFn: (action: Action) => answer(call(action, replay.id)),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["replays"] }),
    onError: notifyError,
  });
  const isOpen = replay.state === "running" || replay.state === "paused";
  if (!isOpen || !may(session, "operator", tenant)) {
    return null;
  }
  const other: Action = replay.state === "running" ? "pause" : "resume";
  return (
    <>
      <Button size="small" onClick={() => act.mutate(other)} isBusy={act.isPending}>
        {other === "pause" ? "Pause sending" : "Resume sending"}
      </Button>{" "}
      <Button size="small" onClick={() => act.mutate("cancel")} isBusy={act.isPending}>
        Cancel sending
      </Button>
    </>
  );
}

function call(action: Action, id: string) {
  const params = { params: { path: { id } } };
  switch (action) {
    case "pause":
      return api.POST("/api/v1/admin/replays/{id}/pause", params);
    case "resume":
      return api.POST("/api/v1/admin/replays/{id}/resume", params);
    case "cancel":
      return api.POST("/api/v1/admin/replays/{id}/cancel", params);
  }
}
