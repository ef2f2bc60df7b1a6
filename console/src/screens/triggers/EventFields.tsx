import { useState } from "react";
import { Problem } from "~/api/problem";
import { CheckField, SelectField, TextArea, TextField } from "~/kit/Field";
import { FieldGroup, FieldRow } from "~/kit/Form";
import { GroupChoice } from "~/screens/recipients/GroupChoice";
import { RecipientChoice } from "~/screens/recipients/RecipientChoice";
import { SegmentChoice } from "~/screens/segments/SegmentChoice";
import { WorkflowChoice } from "~/screens/workflows/WorkflowChoice";
import { type Entered, enteredOf, eventOf, NobodyChosen, WHOM, type Whom, written } from "./eventFields";

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
  const [unread, setUnread] = useState("");
  const toggle = () => {
    try {
      const event = eventOf(entered);
      onChange(asJson ? enteredOf(event) : { json: written(event) });
      setUnread("");
    } catch (problem) {
      setUnread((problem as SyntaxError).message);
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
          error={unread || firstFault(error, prefix)}
          onChange={(event) => onChange({ json: event.target.value })}
          spellCheck={false}
        />
      ) : (
        <>
          <FieldRow>
            <WorkflowChoice
              tenantId={tenantId}
              value={entered.workflowId}
              onChange={(workflowId, eventType) =>
                onChange({ workflowId, ...(eventType !== undefined && { eventType }) })
              }
              error={fault("workflow_id")}
            />
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
              {Object.entries(WHOM).map(([whom, words]) => (
                <option key={whom} value={whom}>
                  {words}
                </option>
              ))}
            </SelectField>
            <TargetField
              tenantId={tenantId}
              entered={entered}
              onChange={onChange}
              error={fault("audience[0]") ?? targetFault(error, prefix)}
            />
          </FieldRow>
          <TextArea
            label="Variables"
            help="A JSON object for the templates"
            isMono
            rows={5}
            value={entered.variables}
            error={unread || (error instanceof SyntaxError ? error.message : fault("variables"))}
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

interface TargetFieldProps extends Pick<Props, "tenantId" | "entered" | "onChange"> {
  error: string | undefined;
}

/** Who it is: chosen from what is stored, or typed. */
function TargetField({ tenantId, entered, onChange, error }: TargetFieldProps) {
  const { whom, who } = entered;
  const choose = {
    tenantId,
    value: who,
    onChange: (chosen: string) => onChange({ who: chosen }),
    error,
  };
  switch (whom) {
    case "everybody":
      return null;
    case "segment_id":
      return <SegmentChoice label="Segment" {...choose} />;
    case "group":
      return <GroupChoice label="Group" {...choose} />;
    case "recipient_id":
      return <RecipientChoice label="Recipient" {...choose} />;
    default:
      return (
        <TextField
          label={whom === "tags" ? "Tags" : "E-mail address"}
          help={whom === "tags" ? "With commas between them; people who have all of them." : undefined}
          type={whom === "contact" ? "email" : "text"}
          required
          value={who}
          error={error}
          onChange={(event) => onChange({ who: event.target.value })}
        />
      );
  }
}

/** Return what is wrong with the only target, whatever part of it. */
function targetFault(error: Error | null, prefix: string): string | undefined {
  return error instanceof NobodyChosen ? error.message : startingWith(error, `${prefix}audience[0].`);
}

function firstFault(error: Error | null, prefix: string): string | undefined {
  return error instanceof SyntaxError ? error.message : startingWith(error, prefix);
}

function startingWith(error: Error | null, prefix: string): string | undefined {
  const fields = error instanceof Problem ? [...error.fields] : [];
  const [name, text] = fields.find(([field]) => field.startsWith(prefix)) ?? [];
  return name === undefined ? undefined : `${name} ${text}`;
}
