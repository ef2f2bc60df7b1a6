import { useQuery } from "@tanstack/react-query";
import { type Choice, ChoiceField } from "~/kit/Chooser";
import { noChoice, useChoiceSearch } from "~/kit/choosing";
import { workflowChoicesQuery, workflowQuery } from "./data";

const OF_TYPE: Choice = { value: "", label: "Those of the event type" };

interface WorkflowChoiceProps {
  tenantId: string;
  /** The workflow's id; empty: those of the event type. */
  value: string;
  /** eventType: of the workflow; absent: none is chosen. */
  onChange: (workflowId: string, eventType?: string) => void;
  error?: string | undefined;
}

/** Chooses one workflow by a part of its name, or all of the event type. */
export function WorkflowChoice({ tenantId, value, onChange, error }: WorkflowChoiceProps) {
  const { asked, onSearch } = useChoiceSearch();
  const found = useQuery(workflowChoicesQuery(tenantId, asked));
  const known = useQuery({
    ...workflowQuery({ id: tenantId, workflow_id: value }),
    enabled: value !== "",
  });
  const workflows = found.data ?? [];
  return (
    <ChoiceField
      label="Workflow"
      choices={[...(asked ? [] : [OF_TYPE]), ...workflows.map(choiceOf)]}
      chosen={value ? (known.data ? choiceOf(known.data) : { value, label: value }) : OF_TYPE}
      onChoose={(choice) =>
        onChange(choice.value, workflows.find((one) => one.id === choice.value)?.event_type)
      }
      onSearch={onSearch}
      find="Find a workflow"
      none={noChoice(found, "No workflow has this name.")}
      error={error ?? (known.error ? known.error.message : undefined)}
    />
  );
}

function choiceOf({
  id,
  name,
  event_type,
  active,
}: {
  id: string;
  name: string;
  event_type: string;
  active: boolean;
}) {
  return {
    value: id,
    label: name,
    detail: active ? event_type : `${event_type}, not active`,
  } satisfies Choice;
}
