import { useQuery } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { CheckField, SelectField, TextArea, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow } from "~/kit/Form";
import { type Entered, enteredOf, eventOf, WHOM, type Whom, written } from "./eventFields";

interface Props {
  tenantId: string;
  entered: Entered;
  onChange: (changes: Partial<Entered>) => void;
  error: Error | null;
  /** Where the event stands in what is sent: its fields in errors begin with it. */
  prefix?: string;
}

/** What an event is: its type or workflow, whom it is for, and what templates get. */
export function EventFields({ tenantId, entered, onChange, error, prefix = "" }: Props) {
  const fault = (name: string) => {
    const fields = error instanceof Problem ? error.fields : undefined;
    return fields?.get(prefix + name);
  };
  const asJson = entered.json !== null;
  const toggle = () => {
    try {
      const event = eventOf(entered);
      const other = enteredOf(event);
      onChange(asJson ? other : { json: written(event) });
    } catch {
      // What cannot be read stays as it is; sending says what is wrong with it.
    }
  };
  return (
    <FieldGroup legend="What is sent">
      {asJson ? (
        <TextArea
          label="The event"
          help="The body of POST /tenants/{id}/events, without due_at and idempotency_key"
          isMono
          rows={16}
          value={entered.json ?? ""}
          error={firstFault(error, prefix)}
          onChange={(event) => onChange({ json: event.target.value })}
          spellCheck={false}
        />
      ) : (
        <>
          <FieldRow>
            <WorkflowField tenantId={tenantId} entered={entered} onChange={onChange} />
            <TextField
              label="Event type"
              help="Its active workflows start; without any, its active templates are sent"
              required
              maxLength={255}
              value={entered.eventType}
              error={fault("event_type")}
              disabled={entered.workflowId !== ""}
              onChange={(event) => onChange({ eventType: event.target.value })}
            />
          </FieldRow>
          <FieldRow>
            <SelectField
              label="For"
              value={entered.whom}
              error={fault("audience")}
              onChange={(event) => onChange({ whom: event.target.value as Whom, who: "" })}
            >
              {Object.entries(WHOM).map(([whom, { option }]) => (
                <option key={whom} value={whom}>
                  {option}
                </option>
              ))}
            </SelectField>
            {entered.whom === "segment_id" ? (
              <SegmentField
                tenantId={tenantId}
                entered={entered}
                onChange={onChange}
                error={fault("audience[0]") ?? targetFault(error, prefix)}
              />
            ) : WHOM[entered.whom].label ? (
              <TextField
                label={WHOM[entered.whom].label}
                help={entered.whom === "tags" ? "Separated by commas; those with all of them" : undefined}
                type={entered.whom === "contact" ? "email" : "text"}
                required
                value={entered.who}
                error={fault("audience[0]") ?? targetFault(error, prefix)}
                onChange={(event) => onChange({ who: event.target.value })}
              />
            ) : null}
          </FieldRow>
          <TextArea
            label="Variables"
            help="A JSON object for the templates"
            isMono
            rows={5}
            value={entered.variables}
            error={fault("variables")}
            onChange={(event) => onChange({ variables: event.target.value })}
            spellCheck={false}
          />
        </>
      )}
      <CheckField
        label="Write the event as JSON"
        help="For several targets, labels, channels, exclusions"
        checked={asJson}
        onChange={toggle}
      />
    </FieldGroup>
  );
}

function WorkflowField({ tenantId, entered, onChange }: Pick<Props, "tenantId" | "entered" | "onChange">) {
  const found = useQuery({
    queryKey: ["workflows", tenantId, "to-choose"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflows", {
          params: { path: { id: tenantId }, query: { limit: 100 } },
          signal,
        }),
      ),
  });
  const workflows = found.data?.data ?? [];
  const isUnknown = entered.workflowId !== "" && !workflows.some((one) => one.id === entered.workflowId);
  return (
    <SelectField
      label="Workflow"
      value={entered.workflowId}
      onChange={(event) => {
        const chosen = workflows.find((one) => one.id === event.target.value);
        onChange({ workflowId: event.target.value, ...(chosen && { eventType: chosen.event_type }) });
      }}
    >
      <option value="">Those of the event type</option>
      {isUnknown ? <option value={entered.workflowId}>{entered.workflowId}</option> : null}
      {workflows.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
          {one.active ? "" : " (not active)"}
        </option>
      ))}
    </SelectField>
  );
}

interface SegmentProps extends Pick<Props, "tenantId" | "entered" | "onChange"> {
  error: string | undefined;
}

function SegmentField({ tenantId, entered, onChange, error }: SegmentProps) {
  const found = useQuery({
    queryKey: ["segments", tenantId, "to-choose"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/segments", {
          params: { path: { id: tenantId }, query: { limit: 100 } },
          signal,
        }),
      ),
  });
  const segments = found.data?.data ?? [];
  const isUnknown = entered.who !== "" && !segments.some((one) => one.id === entered.who);
  return (
    <SelectField
      label={WHOM.segment_id.label}
      required
      value={entered.who}
      error={error}
      onChange={(event) => onChange({ who: event.target.value })}
    >
      <option value="">
        {found.data && segments.length === 0 ? "There is no segment yet" : "Choose one"}
      </option>
      {isUnknown ? <option value={entered.who}>{entered.who}</option> : null}
      {segments.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </SelectField>
  );
}

/** Return what is wrong with the only target, whatever part of it. */
function targetFault(error: Error | null, prefix: string): string | undefined {
  return startingWith(error, `${prefix}audience[0].`);
}

function firstFault(error: Error | null, prefix: string): string | undefined {
  return error instanceof SyntaxError ? error.message : startingWith(error, prefix);
}

function startingWith(error: Error | null, prefix: string): string | undefined {
  const fields = error instanceof Problem ? [...error.fields] : [];
  const [name, text] = fields.find(([field]) => field.startsWith(prefix)) ?? [];
  return name === undefined ? undefined : `${name} ${text}`;
}
