import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextArea } from "~/kit/Field";
import styles from "./Endpoints.module.css";

const EXAMPLE = '{">": [{"var": "payload.total"}, 100]}';
const SAMPLE = '{\n  "total": 120\n}';

interface FilterEditorProps {
  tenantId: string;
  eventType: string;
  text: string;
  error: string | undefined;
  onChange: (text: string) => void;
  rule: Record<string, unknown> | null;
}

/** A JSON-Logic rule, and a check against a sample event by the engine that decides in production. */
export function FilterEditor({ tenantId, eventType, text, error, onChange, rule }: FilterEditorProps) {
  const [sample, setSample] = useState(SAMPLE);
  const check = useMutation({
    mutationFn: async () => {
      const payload = readObject(sample);
      return await answer(
        api.POST("/api/v1/admin/tenants/{id}/filter-check", {
          params: { path: { id: tenantId } },
          body: { filter: rule ?? {}, event_type: eventType || "sample", payload },
        }),
      );
    },
  });
  return (
    <>
      <TextArea
        label="Filter"
        help={
          <>
            A JSON-Logic rule over <code>type</code>, <code>payload</code> and <code>metadata</code>: only
            events for which it is true are sent. For example <code>{EXAMPLE}</code>. Empty: all events.
          </>
        }
        isOptional
        isMono
        rows={6}
        value={text}
        onChange={(event) => {
          check.reset();
          onChange(event.target.value);
        }}
        error={text ? error : undefined}
        spellCheck={false}
      />
      {rule ? (
        <>
          <TextArea
            label="Sample payload"
            help="What such an event carries, as JSON. It is not stored."
            isMono
            rows={5}
            value={sample}
            onChange={(event) => {
              check.reset();
              setSample(event.target.value);
            }}
            spellCheck={false}
          />
          <div className={styles.buttons} aria-live="polite">
            <Button onClick={() => check.mutate()} isBusy={check.isPending}>
              Check against the sample
            </Button>
            {check.data ? (
              <Badge tone={check.data.matches ? "good" : "wait"}>
                {check.data.matches ? "Would be sent" : "Would be left out"}
              </Badge>
            ) : null}
            {check.data?.error ? (
              <span>It cannot be evaluated for this sample: {check.data.error}</span>
            ) : null}
          </div>
          {check.error ? <ErrorNote error={check.error} /> : null}
        </>
      ) : null}
    </>
  );
}

function readObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`The sample is not JSON: ${error instanceof Error ? error.message : ""}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("The sample is a JSON object, such as {}.");
  }
  return value as Record<string, unknown>;
}
