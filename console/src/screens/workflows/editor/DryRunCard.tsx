import { useMutation } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { useReasons } from "~/api/reasons";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextArea, TextField } from "~/kit/Field";
import { FieldRow } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { ExactTime } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { RecipientChoice } from "~/screens/recipients/RecipientChoice";
import type { DryRun, DryStep } from "../data";
import { walk } from "../document";
import { KIND_WORDS, titleOf } from "../words";
import { useEditor } from "./context";
import { OutcomeBadge } from "./OutcomeBadge";
import styles from "./StepList.module.css";
import type { DryRunState, Trial } from "./useDryRun";

const STATUSES = ["sent", "delivered", "failed", "dead", "bounced", "skipped"] as const;
const SENT = "sent";

/** Says what the steps would do for one person and one event. It sends nothing. */
export function DryRunCard({
  dryRun,
  eventType,
  canRun,
}: {
  dryRun: DryRunState;
  eventType: string;
  canRun: boolean;
}) {
  const { trial, setTrial, result } = dryRun;
  const { mayChange } = useEditor();
  if (!mayChange) {
    return (
      <Card title="Dry run">
        <p>Your role may not try workflows. A developer of this tenant can.</p>
      </Card>
    );
  }
  return (
    <Card title="Dry run">
      <p className={styles.soft}>
        What would happen to one person, when, and why not otherwise. Nothing is sent.
      </p>
      <Whom trial={trial} setTrial={setTrial} />
      <EventFields dryRun={dryRun} eventType={eventType} />
      <details className={styles.more}>
        <summary>What if a step does not arrive</summary>
        <Outcomes trial={trial} setTrial={setTrial} />
      </details>
      <div className={styles.buttons}>
        <Button
          look="primary"
          onClick={dryRun.start}
          disabled={!canRun || !dryRun.isSomebody}
          isBusy={dryRun.isBusy}
        >
          Try it
        </Button>
      </div>
      {canRun ? null : <p className={styles.soft}>Correct what is marked in the steps first.</p>}
      {dryRun.isSomebody ? null : <p className={styles.soft}>Choose a recipient first.</p>}
      {dryRun.error ? <ErrorNote error={dryRun.error} /> : null}
      <div aria-live="polite">{result && !dryRun.error ? <Result result={result} /> : null}</div>
    </Card>
  );
}

type TrialProps = Pick<DryRunState, "trial" | "setTrial">;

function Whom({ trial, setTrial }: TrialProps) {
  const { tenantId } = useEditor();
  const { person } = trial;
  const set = (change: Partial<Trial["person"]>) => setTrial({ person: { ...person, ...change } });
  return (
    <>
      <SelectField
        label="For whom"
        value={trial.whom}
        onChange={(event) => setTrial({ whom: event.target.value as Trial["whom"] })}
      >
        <option value="described">Somebody whom I describe</option>
        <option value="stored">A stored recipient</option>
      </SelectField>
      {trial.whom === "stored" ? (
        <RecipientChoice
          tenantId={tenantId}
          label="Recipient"
          value={trial.recipientId}
          onChange={(recipientId) => setTrial({ recipientId })}
        />
      ) : (
        <FieldRow>
          <TextField
            label="User id"
            value={person.user_id}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => set({ user_id: event.target.value })}
          />
          <TextField
            label="E-mail"
            value={person.email}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => set({ email: event.target.value })}
          />
          <TextField
            label="Phone"
            placeholder="+4915112345678"
            value={person.phone}
            autoComplete="off"
            onChange={(event) => set({ phone: event.target.value })}
          />
          <TextField
            label="Time zone"
            placeholder="Africa/Nairobi"
            value={person.timezone}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => set({ timezone: event.target.value })}
          />
        </FieldRow>
      )}
    </>
  );
}

function EventFields({ dryRun, eventType }: { dryRun: DryRunState; eventType: string }) {
  const { tenantId } = useEditor();
  const { trial, setTrial, faults } = dryRun;
  const fill = useMutation({
    mutationFn: () => newestBody(tenantId, eventType),
    onSuccess: (body) => {
      if (body === null) {
        notify(`There is no event of the type ${eventType} whose content is stored.`);
        return;
      }
      const { event_data: data = {}, source } = body.payload as {
        event_data?: object;
        source?: { type?: unknown };
      };
      setTrial({
        data: JSON.stringify(data, null, 2),
        variables: JSON.stringify(body.variables, null, 2),
        sourceType: typeof source?.type === "string" ? source.type : "",
      });
    },
    onError: notifyError,
  });
  return (
    <>
      <TextArea
        label="Event data"
        help="What rules see as event.data, as JSON."
        isMono
        rows={4}
        spellCheck={false}
        value={trial.data}
        onChange={(event) => setTrial({ data: event.target.value })}
        error={faults.data}
      />
      <div className={styles.buttons}>
        <Button size="small" onClick={() => fill.mutate()} isBusy={fill.isPending} disabled={!eventType}>
          Take those of the newest event
        </Button>
      </div>
      <details className={styles.more}>
        <summary>Variables, source and time</summary>
        <TextArea
          label="Variables"
          isMono
          rows={3}
          spellCheck={false}
          value={trial.variables}
          onChange={(event) => setTrial({ variables: event.target.value })}
          error={faults.variables}
        />
        <FieldRow>
          <TextField
            label="Type of the source"
            isOptional
            placeholder="web_signup"
            value={trial.sourceType}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setTrial({ sourceType: event.target.value })}
          />
          <TextField
            label="When the event comes"
            isOptional
            help="Empty: now."
            type="datetime-local"
            value={trial.at}
            onChange={(event) => setTrial({ at: event.target.value })}
          />
        </FieldRow>
      </details>
    </>
  );
}

/** Return what the newest event of a type carried; null: there is none that is stored. */
async function newestBody(tenantId: string, eventType: string) {
  const query = { tenant_id: tenantId, event_type: eventType, limit: 1 };
  const [newest] = (await answer(api.GET("/api/v1/admin/events", { params: { query } }))).data;
  if (newest === undefined) {
    return null;
  }
  const path = { id: newest.id };
  const body = await answer(api.GET("/api/v1/admin/events/{id}/body", { params: { path } }));
  return body.stored ? { payload: body.payload ?? {}, variables: body.variables ?? {} } : null;
}

function Outcomes({ trial, setTrial }: TrialProps) {
  const { document, names } = useEditor();
  const sends = walk(document)
    .map((one) => one.step)
    .filter((one) => one.kind === "send" || one.kind === "webhook");
  if (sends.length === 0) {
    return <p>No step sends anything.</p>;
  }
  return sends.map((step) => (
    <SelectField
      key={step.id}
      label={titleOf(step, names)}
      value={trial.outcomes[step.id] ?? SENT}
      onChange={(event) => {
        const { [step.id]: _, ...others } = trial.outcomes;
        const status = event.target.value;
        setTrial({ outcomes: status === SENT ? others : { ...others, [step.id]: status } });
      }}
    >
      {STATUSES.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </SelectField>
  ));
}

function Result({ result }: { result: DryRun }) {
  const reasonOf = useReasons();
  if (result.reason) {
    return (
      <p className={styles.notice}>
        <strong>The workflow would not be started.</strong> {reasonOf(result.reason)?.text ?? result.reason}
      </p>
    );
  }
  return (
    <ol className={styles.result} aria-label="What would happen">
      {result.steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: what happens stands in its order
        <li key={index}>
          <ResultLine step={step} />
        </li>
      ))}
    </ol>
  );
}

function ResultLine({ step }: { step: DryStep }) {
  const { document, names, open } = useEditor();
  const reasonOf = useReasons();
  const known = walk(document).find((one) => one.step.id === step.step)?.step;
  const title = known
    ? titleOf(known, names)
    : (KIND_WORDS[step.kind as keyof typeof KIND_WORDS] ?? "The end");
  return (
    <>
      <span className={styles.when}>
        <ExactTime at={step.at} />
      </span>
      <div className={styles.what}>
        {known ? (
          <Button size="small" look="quiet" className={styles.link} onClick={() => open(known.id)}>
            {title}
          </Button>
        ) : (
          title
        )}{" "}
        <OutcomeBadge step={step} />
        {step.detail || step.reason ? (
          <p className={styles.soft}>{step.detail || (reasonOf(step.reason)?.text ?? step.reason)}</p>
        ) : null}
      </div>
    </>
  );
}
