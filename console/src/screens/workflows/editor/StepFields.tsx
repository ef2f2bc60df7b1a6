import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { Button, LinkButton } from "~/kit/Button";
import { CheckField, SelectField, TextField } from "~/kit/Field";
import { FieldRow } from "~/kit/Form";
import { channelName } from "~/shell/channels";
import { endpointsQuery, templateVersionsQuery } from "../choices";
import { templateKeysQuery } from "../data";
import {
  CHANNELS,
  type ConditionStep,
  MOST_BRANCHES,
  type ParallelStep,
  type SendChannel,
  type SendStep,
  type Step,
  type WebhookStep,
} from "../document";
import { useEditor } from "./context";
import { DelayFields } from "./DelayFields";
import { RuleFields } from "./RuleFields";
import styles from "./StepList.module.css";

const NEW_RULE = { "!!": [{ var: "contact.email" }] };

/** What a kind's fields get: the step, and what is wrong with a field of it. */
export interface FieldsProps<T extends Step> {
  step: T;
  error: (field: string) => string | undefined;
  /** Change fields; undefined removes one. about: which field it is. */
  set: (change: { [K in keyof T]?: T[K] | undefined }, about: string) => void;
}

/** The fields of one step: those of its kind, its name, and the rule by which it is passed over. */
export function StepFields({ step }: { step: Step }) {
  const { addedId, faults, update } = useEditor();
  const own = faults.get(step.id) ?? [];
  const error = (field: string) => own.find((one) => one.field === field)?.detail;
  const set = (change: object, about: string) =>
    update(step.id, (known) => ({ ...known, ...change }) as Step, about);
  const place = useRef<HTMLDivElement>(null);
  const isNew = addedId === step.id;
  useEffect(() => {
    if (isNew) {
      // The menu by which it was added gives the focus back when it closes, which is a moment later.
      const timer = setTimeout(() => {
        place.current?.scrollIntoView({ block: "nearest" });
        place.current?.querySelector<HTMLElement>("input, select, textarea")?.focus();
      }, 150);
      // Who is in a field already, and perhaps beyond it, is not taken back.
      place.current?.addEventListener("focusin", () => clearTimeout(timer), { once: true });
      return () => clearTimeout(timer);
    }
    return;
  }, [isNew]);
  const unplaced = own.filter((one) => one.field === "" || one.field === "kind" || one.field === "id");
  return (
    <div ref={place} className={styles.fields}>
      {unplaced.length > 0 ? (
        <p className={styles.bad}>{unplaced.map((one) => one.detail).join("; ")}</p>
      ) : null}
      <KindFields step={step} error={error} set={set} />
      <TextField
        label="Name"
        isOptional
        help="Stands in the list in place of the sentence."
        value={step.name ?? ""}
        maxLength={100}
        autoComplete="off"
        onChange={(event) => set({ name: event.target.value || undefined }, "name")}
        error={error("name")}
      />
      <CheckField
        label="Only if a rule holds"
        help="If it does not hold for the person, this step is passed over, and the next one comes."
        checked={step.only_if !== undefined}
        onChange={(event) => set({ only_if: event.target.checked ? NEW_RULE : undefined }, "only_if?")}
      />
      {step.only_if ? (
        <RuleFields
          legend="The step is carried out if"
          stepId={step.id}
          rule={step.only_if}
          error={error("only_if")}
          onChange={(only_if) => set({ only_if }, "only_if")}
        />
      ) : null}
    </div>
  );
}

function KindFields({ step, ...rest }: FieldsProps<Step>): ReactNode {
  switch (step.kind) {
    case "send":
      return <SendFields step={step} {...rest} />;
    case "delay":
      return <DelayFields step={step} {...rest} />;
    case "condition":
      return <ConditionFields step={step} {...rest} />;
    case "parallel":
      return <ParallelFields step={step} {...rest} />;
    case "webhook":
      return <WebhookFields step={step} {...rest} />;
    case "stop":
      return <p>The run of this person ends here, in all branches.</p>;
  }
}

function SendFields({ step, error, set }: FieldsProps<SendStep>) {
  const { tenantId } = useEditor();
  const { key, version } = step.template;
  const keys = useQuery(templateKeysQuery(tenantId, step.channel)).data ?? [];
  const versions = useQuery(templateVersionsQuery(tenantId, step.channel, key)).data ?? [];
  const known = keys.find((one) => one.key === key);
  const list = `templates-${step.id}`;
  return (
    <>
      <FieldRow>
        <SelectField
          label="Channel"
          value={step.channel}
          onChange={(event) => set({ channel: event.target.value as SendChannel }, "channel")}
          error={error("channel")}
        >
          {CHANNELS.map((one) => (
            <option key={one} value={one}>
              {channelName(one)}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Template"
          help="The event type under which the template is stored."
          value={key}
          list={list}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => set({ template: { key: event.target.value } }, "template.key")}
          error={error("template.key") ?? error("template")}
        />
        <datalist id={list}>
          {keys.map((one) => (
            <option key={one.key} value={one.key} />
          ))}
        </datalist>
        <SelectField
          label="Version"
          value={version ?? ""}
          onChange={(event) =>
            set(
              { template: { key, ...(event.target.value && { version: Number(event.target.value) }) } },
              "template.version",
            )
          }
          error={error("template.version")}
        >
          <option value="">The active one then</option>
          {[...new Set([...(version ? [version] : []), ...versions])].map((one) => (
            <option key={one} value={one}>
              Version {one}
            </option>
          ))}
        </SelectField>
      </FieldRow>
      {key === "" ? null : known === undefined ? (
        <p className={styles.soft}>
          There is no {channelName(step.channel)} template of this name.{" "}
          <LinkButton size="small" to="/templates/new" search={{ event_type: key, channel: step.channel }}>
            Write it
          </LinkButton>
        </p>
      ) : known.isActive ? null : (
        <p className={styles.soft}>
          No version of this template is active.{" "}
          <LinkButton size="small" to="/templates/$templateId" params={{ templateId: known.templateId }}>
            Open the template
          </LinkButton>
        </p>
      )}
    </>
  );
}

function ConditionFields({ step, error, set }: FieldsProps<ConditionStep>) {
  return (
    <RuleFields
      legend="The steps below “Then” follow if"
      stepId={step.id}
      rule={step.rule}
      error={error("rule")}
      onChange={(rule) => set({ rule }, "rule")}
    />
  );
}

function ParallelFields({ step, error, set }: FieldsProps<ParallelStep>) {
  const { branches } = step;
  return (
    <>
      <p>All branches go on at the same time. What follows comes when all of them have ended.</p>
      {error("branches") ? <p className={styles.bad}>{error("branches")}</p> : null}
      <div className={styles.buttons}>
        <Button
          size="small"
          disabled={branches.length >= MOST_BRANCHES}
          onClick={() => set({ branches: [...branches, []] }, "")}
        >
          Add a branch
        </Button>
        {branches.map((_, index) => (
          <Button
            // biome-ignore lint/suspicious/noArrayIndexKey: a branch is known by its place
            key={index}
            size="small"
            disabled={branches.length === 1}
            onClick={() => set({ branches: branches.toSpliced(index, 1) }, "")}
          >
            Remove branch {index + 1}
          </Button>
        ))}
      </div>
    </>
  );
}

function WebhookFields({ step, error, set }: FieldsProps<WebhookStep>) {
  const { tenantId, names } = useEditor();
  const endpoints = useQuery(endpointsQuery(tenantId)).data ?? [];
  const isKnown = endpoints.some((one) => one.id === step.endpoint_id);
  return (
    <SelectField
      label="Endpoint"
      help="It gets the event, signed, as the endpoint’s other messages."
      value={step.endpoint_id}
      onChange={(event) => set({ endpoint_id: event.target.value }, "endpoint_id")}
      error={error("endpoint_id")}
    >
      <option value="">Choose an endpoint</option>
      {step.endpoint_id && !isKnown ? (
        <option value={step.endpoint_id}>{names.endpoint(step.endpoint_id)}</option>
      ) : null}
      {endpoints.map((one) => (
        <option key={one.id} value={one.id}>
          {one.description || one.url || one.id}
        </option>
      ))}
    </SelectField>
  );
}
