import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { notify } from "~/kit/Toast";
import { useTenant } from "~/shell/tenants";
import { PaceDialog } from "./PaceDialog";

const REPLAYABLE = new Set<string | undefined>(["failed", "dead", "skipped"]);

type Body = Schemas["NewReplay"];
type Filter = Partial<Pick<Body, "channel" | "event_type" | "reason" | "provider" | "until">>;

interface ReplayMessagesProps {
  filter: Filter & { status?: string; since?: string };
  /** How many are shown, as "12" or "50+". */
  count: string;
  /** A part of the filter that a replay cannot have: nothing is offered then. */
  isNarrower: boolean;
}

/** Offers to send again everything that failed, died or was skipped, and matches the filter of the messages. */
export function ReplayMessages({ filter, count, isNarrower }: ReplayMessagesProps) {
  const session = useSession();
  const tenant = useTenant();
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const start = useMutation({
    mutationFn: (perSecond: number) => {
      const { since = tenant?.created_at ?? "", ...rest } = filter;
      const body = { ...rest, since, tenant_id: tenant?.id ?? "", per_second: perSecond };
      return answer(api.POST("/api/v1/admin/replays", { body: body as Body }));
    },
    onSuccess: () => {
      setOpen(false);
      notify("They are being sent again.");
      void queries.invalidateQueries({ queryKey: ["replays"] });
    },
  });
  if (!tenant || !REPLAYABLE.has(filter.status) || isNarrower || !may(session, "operator", tenant)) {
    return null;
  }
  return (
    <>
      <Button look="primary" onClick={() => setOpen(true)}>
        Send all that match again …
      </Button>
      <PaceDialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title={`Send all ${filter.status} messages that match again`}
        text={`Of ${count} ${count === "1" ? "message" : "messages"} of ${tenant.name} the channels that ended as ${filter.status} are sent again in the background, as new events: not only what is shown. What a replay has sent already is left out. Recipients get it now.`}
        what="Messages"
        onSubmit={start.mutate}
        isBusy={start.isPending}
        error={start.error}
      />
    </>
  );
}
