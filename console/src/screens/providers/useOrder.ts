import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { answer, api } from "~/api/client";
import { notifyError } from "~/kit/Toast";
import { type Provider, providersQuery } from "./queries";

/** The order of a channel's providers: as stored, or as the person has moved them meanwhile. */
interface Order {
  providers: readonly Provider[];
  /** Move the provider with an id to a place, from 0, and store the order. */
  move: (id: string, place: number) => void;
  /** What was done, for screen readers. */
  said: string;
}

/** Keep the order of a channel's providers. Moves that come while one is stored are stored together after it. */
export function useOrder(tenantId: string, channel: Provider["channel"], stored: readonly Provider[]): Order {
  const queries = useQueryClient();
  const [wanted, setWanted] = useState<readonly string[] | null>(null);
  const [said, setSaid] = useState("");
  const latest = useRef<readonly string[] | null>(null);
  const isSaving = useRef(false);
  const ids = wanted ?? stored.map((one) => one.id);
  const byId = new Map(stored.map((one) => [one.id, one]));
  const providers = ids.flatMap((id) => byId.get(id) ?? []);

  const save = async (before: readonly string[]) => {
    isSaving.current = true;
    let known = before;
    try {
      while (latest.current !== null && latest.current !== known) {
        const next = latest.current;
        const { data } = await answer(
          api.PUT("/api/v1/admin/tenants/{id}/provider-order", {
            params: { path: { id: tenantId } },
            body: { channel, provider_ids: [...next], expected_ids: [...known] },
          }),
        );
        known = next;
        queries.setQueryData(providersQuery(tenantId).queryKey, (all) =>
          [...(all ?? []).filter((one) => one.channel !== channel), ...data].sort(
            (a, b) => a.priority - b.priority,
          ),
        );
      }
    } catch (error) {
      notifyError(error instanceof Error ? error : new Error(String(error)));
      setSaid("The order was not stored.");
    } finally {
      isSaving.current = false;
      latest.current = null;
      setWanted(null);
      void queries.invalidateQueries({ queryKey: ["providers"] });
    }
  };

  const move = (id: string, place: number) => {
    const moved = byId.get(id);
    const from = ids.indexOf(id);
    const to = Math.max(0, Math.min(place, ids.length - 1));
    if (!moved || from === to) {
      setSaid(moved ? `${moved.name} stays at place ${from + 1} of ${ids.length}.` : "");
      return;
    }
    const next = ids.filter((one) => one !== id);
    next.splice(to, 0, id);
    setWanted(next);
    latest.current = next;
    setSaid(`${moved.name} is now at place ${to + 1} of ${ids.length}.`);
    if (!isSaving.current) {
      void save(stored.map((one) => one.id));
    }
  };
  return { providers, move, said };
}
