import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { FormDialog } from "~/kit/Dialog";
import { CheckField, TextField } from "~/kit/Field";
import { notify } from "~/kit/Toast";
import styles from "./Endpoints.module.css";
import { FilterEditor } from "./FilterEditor";
import { createTypes, eventTypesQuery, knownTypesQuery, type Named } from "./queries";
import type { Subscription } from "./Subscriptions";

const MOST_SHOWN = 100;

interface SubscribeDialogProps {
  path: Named;
  /** The subscription whose filter is edited; undefined: a new one. */
  edited: Subscription | undefined;
  subscribed: readonly string[];
  onClose: () => void;
}

/** Chooses event types and a filter. */
export function SubscribeDialog({ path, edited, subscribed, onClose }: SubscribeDialogProps) {
  const queries = useQueryClient();
  const types = (useQuery(eventTypesQuery(path.id)).data ?? []).filter(
    (one) => !subscribed.includes(one.name),
  );
  const known = (useQuery(knownTypesQuery(path.id)).data ?? []).filter((name) => !subscribed.includes(name));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(edited ? [edited.event_type] : []));
  const [named, setNamed] = useState("");
  const [filter, setFilter] = useState(edited?.filter ? JSON.stringify(edited.filter, null, 2) : "");
  const rule = parsedRule(filter);
  const names = [...chosen, ...(named.trim() ? [named.trim()] : [])];
  const save = useMutation({
    mutationFn: async () => {
      await createTypes(
        path.id,
        names.filter((name) => known.includes(name)),
      );
      return answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/subscriptions", {
          params: { path },
          body: { event_types: names, ...(edited || rule.value ? { filter: rule.value } : {}) },
        }),
      );
    },
    onSuccess: () => {
      notify(edited ? "The filter is saved." : "The endpoint is subscribed.");
      onClose();
      void queries.invalidateQueries({ queryKey: ["event-types"] });
      return queries.invalidateQueries({ queryKey: ["endpoints"] });
    },
  });
  const toggle = (name: string, isIn: boolean) => {
    const next = new Set(chosen);
    if (isIn) {
      next.add(name);
    } else {
      next.delete(name);
    }
    setChosen(next);
  };
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={edited ? `Filter of ${edited.event_type}` : "Subscribe to event types"}
      action={edited ? "Save filter" : "Subscribe"}
      onSubmit={() => save.mutate()}
      isBusy={save.isPending}
      error={save.error}
      isDisabled={names.length === 0 || rule.error !== undefined}
      isWide
    >
      {edited ? null : (
        <fieldset className={styles.set}>
          <legend>Event types</legend>
          <div className={styles.types}>
            {types.map((one) => (
              <CheckField
                key={one.id}
                label={one.name}
                help={one.description}
                checked={chosen.has(one.name)}
                onChange={(event) => toggle(one.name, event.target.checked)}
              />
            ))}
            {known.map((name) => (
              <CheckField
                key={name}
                label={name}
                help="Sent by the tenant, or has a template. It becomes an event type that endpoints can subscribe to."
                checked={chosen.has(name)}
                onChange={(event) => toggle(name, event.target.checked)}
              />
            ))}
          </div>
          {types.length >= MOST_SHOWN ? (
            <TextField
              label="Another event type"
              isOptional
              value={named}
              onChange={(event) => setNamed(event.target.value)}
              autoComplete="off"
              spellCheck={false}
            />
          ) : null}
        </fieldset>
      )}
      <FilterEditor
        tenantId={path.id}
        eventType={names[0] ?? ""}
        text={filter}
        error={rule.error}
        onChange={setFilter}
        rule={rule.value}
      />
    </FormDialog>
  );
}

interface Rule {
  value: Record<string, unknown> | null;
  error?: string;
}

/** Return the rule that a text holds; null: none. */
function parsedRule(text: string): Rule {
  if (text.trim() === "") {
    return { value: null };
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? { value: value as Record<string, unknown> }
      : { value: null, error: "A filter is a JSON object with one operator." };
  } catch (error) {
    return { value: null, error: `This is not JSON: ${error instanceof Error ? error.message : ""}` };
  }
}
