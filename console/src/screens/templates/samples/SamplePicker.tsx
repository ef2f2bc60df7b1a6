import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { Confirm, FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import type { Sample } from "../data";
import styles from "./SamplePicker.module.css";
import { type Choice, filledIn, type SampleState } from "./useSample";

// Loaded when somebody edits data: the screen for tests does without until then.
const CodeEditor = lazy(() =>
  import("../editor/CodeEditor").then(({ CodeEditor }) => ({ default: CodeEditor })),
);

interface SamplePickerProps {
  sample: SampleState;
  tenantId: string | null;
  eventType: string;
  /** Names that the template needs and the sample lacks. */
  missing?: readonly string[];
  /** Whether the person may store samples. */
  maySave: boolean;
  onSave?: () => void;
}

/** Chooses the data of a preview or a test, and edits them as JSON. */
export function SamplePicker({
  sample,
  tenantId,
  eventType,
  missing = [],
  maySave,
  onSave,
}: SamplePickerProps) {
  const [isOpen, setOpen] = useState(false);
  const [asked, setAsked] = useState<"save" | "delete" | null>(null);
  const named = sample.choice.kind === "named" ? sample.choice.id : null;
  const current = sample.samples.find((one) => one.id === named);
  const isChanged =
    current !== undefined && JSON.stringify(current.variables) !== JSON.stringify(sample.variables);
  const store = useStore(tenantId, eventType, sample);
  return (
    <div className={styles.picker}>
      <SelectField
        label="Sample"
        value={named ?? sample.choice.kind}
        onChange={(event) => sample.choose(choiceOf(event.target.value))}
        help={
          sample.choice.kind === "last" ? (
            <>
              Real data, accepted <Time at={sample.lastAt} />. Replace names and addresses before you save it.
            </>
          ) : sample.choice.kind === "written" ? (
            "Data of your own. This browser keeps it; save it as a sample, and others can use it, too."
          ) : undefined
        }
      >
        {sample.samples.map((one) => (
          <option key={one.id} value={one.id}>
            {one.name}
          </option>
        ))}
        {sample.lastAt === null ? null : <option value="last">Last payload</option>}
        <option value="written">My own data</option>
      </SelectField>
      <div className={styles.actions}>
        <Button size="small" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? "Hide the data" : "Edit as JSON"}
        </Button>
        {missing.length > 0 ? (
          <Button
            size="small"
            onClick={() => {
              sample.write(JSON.stringify(filledIn(sample.variables, missing), null, 2));
              setOpen(true);
            }}
          >
            Add missing variables
          </Button>
        ) : null}
      </div>
      {isOpen ? (
        <div className={styles.data}>
          <Suspense fallback={<Loading />}>
            <CodeEditor
              label="Sample data"
              mode="json"
              value={sample.text}
              onChange={sample.write}
              {...(onSave && { onSave })}
            />
          </Suspense>
          {sample.error ? <p className={styles.error}>{sample.error}</p> : null}
          {maySave ? (
            <div className={styles.actions}>
              {isChanged ? (
                <Button size="small" onClick={() => store.change(current)}>
                  Save changes to {current.name}
                </Button>
              ) : null}
              <Button size="small" onClick={() => setAsked("save")} disabled={sample.error !== ""}>
                Save as a new sample
              </Button>
              {current ? (
                <Button size="small" look="danger" onClick={() => setAsked("delete")}>
                  Delete {current.name}
                </Button>
              ) : null}
            </div>
          ) : null}
        </div>
      ) : null}
      <NewSampleDialog
        isOpen={asked === "save"}
        onClose={() => setAsked(null)}
        create={store.create}
        isReal={sample.choice.kind === "last"}
      />
      <Confirm
        isOpen={asked === "delete" && current !== undefined}
        onClose={() => setAsked(null)}
        title={`Delete the sample ${current?.name ?? ""}?`}
        text="Templates are not changed by this."
        action="Delete"
        onSubmit={() => {
          if (current) {
            store.remove(current);
          }
          setAsked(null);
        }}
      />
    </div>
  );
}

function choiceOf(value: string): Choice {
  return value === "last" || value === "written" ? { kind: value } : { kind: "named", id: value };
}

function useStore(tenantId: string | null, eventType: string, sample: SampleState) {
  const queries = useQueryClient();
  const owner = tenantId === null ? {} : { tenant_id: tenantId };
  const reload = () => queries.invalidateQueries({ queryKey: ["template-samples", tenantId, eventType] });
  const tell = (error: unknown) => notifyError(error instanceof Error ? error : new Error(String(error)));
  return {
    create: async (name: string) => {
      const body = { tenant_id: tenantId ?? "", event_type: eventType, name, variables: sample.variables };
      const made = await answer(api.POST("/api/v1/admin/template-samples", { body: body as never }));
      await reload();
      sample.stored(made);
      notify(`The sample ${made.name} was saved.`);
    },
    change: (one: Sample) => {
      const body = { name: one.name, variables: sample.variables };
      const params = { path: { id: one.id }, query: owner };
      answer(api.PUT("/api/v1/admin/template-samples/{id}", { params, body: body as never }))
        .then(async (made) => {
          await reload();
          sample.stored(made);
          notify(`The sample ${made.name} was saved.`);
        })
        .catch(tell);
    },
    remove: (one: Sample) => {
      const params = { path: { id: one.id }, query: owner };
      answer(api.DELETE("/api/v1/admin/template-samples/{id}", { params }))
        .then(reload)
        .then(() => {
          sample.choose({ kind: "written" });
          notify(`The sample ${one.name} was deleted.`);
        })
        .catch(tell);
    },
  };
}

interface NewSampleDialogProps {
  isOpen: boolean;
  onClose: () => void;
  create: (name: string) => Promise<void>;
  isReal: boolean;
}

function NewSampleDialog({ isOpen, onClose, create, isReal }: NewSampleDialogProps) {
  const [name, setName] = useState("");
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = () => {
    setBusy(true);
    create(name)
      .then(() => {
        setName("");
        setError(null);
        onClose();
      })
      .catch((problem: Error) => setError(problem))
      .finally(() => setBusy(false));
  };
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title="Save as a new sample"
      text={
        isReal
          ? "This is the data of a real event. A sample is kept until you delete it, also if the recipient is erased: replace names and addresses first."
          : "Everybody who edits templates of this event type sees it."
      }
      action="Save"
      onSubmit={submit}
      isBusy={isBusy}
      error={error}
      isDisabled={name.trim() === ""}
    >
      <TextField
        label="Name"
        help="What is special about it, for example VIP customer"
        value={name}
        maxLength={64}
        onChange={(event) => setName(event.target.value)}
      />
    </FormDialog>
  );
}
