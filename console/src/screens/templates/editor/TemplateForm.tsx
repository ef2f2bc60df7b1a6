import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId, useMemo, useState } from "react";
import { Button } from "~/kit/Button";
import { readDraft, useKeptDraft } from "~/kit/draft";
import { ErrorNote } from "~/kit/ErrorNote";
import { CheckField, SelectField, TextField } from "~/kit/Field";
import { Card } from "~/kit/Page";
import { type Channel, partsQuery, type Template, type Variables, vocabularyQuery } from "../data";
import { SamplePicker } from "../samples/SamplePicker";
import { useSample } from "../samples/useSample";
import { CodeEditor } from "./CodeEditor";
import { ConflictDialog } from "./ConflictDialog";
import { DraftNotice } from "./DraftNotice";
import { type Content, contentOf, draftKey, isSame, type Place, type StoredDraft } from "./draft";
import type { Fault } from "./faults";
import { KeysHelp } from "./KeysHelp";
import { PreviewPane } from "./PreviewPane";
import { FaultList, NotSaved, ReportPane } from "./ReportPane";
import styles from "./TemplateForm.module.css";
import { TestDialog } from "./TestDialog";
import { usePreview } from "./usePreview";
import { useSaving } from "./useSaving";

interface TemplateFormProps {
  place: Place;
  /** What the author starts from. */
  start: Content;
  /** The newest version of this language; null: there is none. */
  newest: Template | null;
  fallbackSample: Variables;
  maySave: boolean;
  /** Called with each version that is saved here. The form goes on with it. */
  onSaved: (made: Template) => void;
}

const SUBJECTS: Readonly<Record<Channel, string>> = { EMAIL: "Subject", SMS: "", PUSH: "Title" };
const NO_SAMPLES: readonly { name: string; variables: Variables }[] = [];

/** The editor: the code left, what becomes of it right. */
export function TemplateForm(props: TemplateFormProps) {
  const { place, fallbackSample, maySave } = props;
  const key = draftKey(place);
  const [restored] = useState(() => readDraft<StoredDraft>(key, props.start));
  // What the author sees as saved: at first what the page was opened with.
  const [start, setStart] = useState(props.start);
  const [newest, setNewest] = useState(props.newest);
  const [content, setContent] = useState<Content>(() => restored?.content ?? start);
  const [basedOn, setBasedOn] = useState(() => (restored ? restored.basedOn : numbered(newest)));
  const [triesAll, setTriesAll] = useState(false);
  const [isTesting, setTesting] = useState(false);
  const keysId = useId();
  const isChanged = !isSame(content, start);
  const kept: StoredDraft | null = isChanged ? { content, basedOn, savedAt: now() } : null;
  const { isKept, drop } = useKeptDraft(key, kept);
  const parts = useQuery(partsQuery(place.tenant_id)).data ?? [];
  const vocabulary = useQuery(vocabularyQuery).data;
  const sample = useSample(place.tenant_id, place.event_type, fallbackSample, maySave);
  const others = sample.samples.map(({ name, variables }) => ({ name, variables }));
  const preview = usePreview({
    ...{ tenant_id: place.tenant_id, channel: place.channel, locale: place.locale },
    ...{ subject: content.subject, preheader: content.preheader, body: content.body, layout: content.layout },
    variables: sample.variables,
    samples: triesAll ? others : NO_SAMPLES,
  });
  const goOnWith = (version: Template) => {
    setStart(contentOf(version));
    setNewest(version);
    setBasedOn(numbered(version));
  };
  const saving = useSaving(place, content, basedOn?.id ?? null, (made) => {
    if (newest === null) {
      // The page of the first version closes, and the next one goes on with its sample.
      drop();
      if (sample.choice.kind !== "named") {
        sample.keep();
      }
    }
    goOnWith(made);
    props.onSaved(made);
  });
  const set = (change: Partial<Content>) => setContent((known) => ({ ...known, ...change }));
  const save = () => {
    if (maySave && (isChanged || newest === null)) {
      void saving.save({ activate: false });
    }
  };
  const completion = {
    variables: sample.variables,
    partials: parts.filter((one) => one.kind === "PARTIAL").map((one) => one.name),
    vocabulary,
  };
  const subjectFaults = useFaultsIn(preview.faults, "subject");
  const preheaderFaults = useFaultsIn(preview.faults, "preheader");
  const bodyFaults = useFaultsIn(preview.faults, "body");
  const layoutFault = preview.faults.find((one) => one.field === "layout");
  const subject = SUBJECTS[place.channel];
  const isMail = place.channel === "EMAIL";
  const layouts = parts.filter((one) => one.kind === "LAYOUT");
  return (
    <div className={styles.form}>
      {restored ? (
        <DraftNotice
          draft={restored}
          newest={newest}
          onDiscard={() => {
            setContent(start);
            setBasedOn(numbered(newest));
          }}
        />
      ) : null}
      {isKept ? null : (
        <ErrorNote
          error={new Error("This browser has no room to keep your draft. Save a version before you leave.")}
        />
      )}
      <div className={styles.toolbar} role="toolbar" aria-label="Template">
        <Button
          look="primary"
          onClick={() => void saving.save({ activate: false })}
          isBusy={saving.isBusy}
          disabled={!maySave || (!isChanged && newest !== null)}
          title={maySave ? "Ctrl-S" : "Your role may not change templates"}
        >
          Save version
        </Button>
        <Button
          onClick={() => void saving.save({ activate: true })}
          isBusy={saving.isBusy}
          disabled={!maySave || (!isChanged && newest !== null)}
        >
          Save and activate
        </Button>
        <Button onClick={() => setTesting(true)} disabled={!maySave}>
          Send a test
        </Button>
        <span className={styles.state} aria-live="polite">
          {isChanged
            ? "Unsaved changes, kept in this browser"
            : newest === null
              ? "Not saved yet"
              : "Nothing to save"}
        </span>
      </div>
      {saving.error ? <NotSaved error={saving.error} listed={preview.faults} /> : null}
      <div className={styles.panes}>
        <Card title="Code">
          {subject ? (
            <Labeled text={subject} isFaulty={subjectFaults.length > 0}>
              <CodeEditor
                label={subject}
                mode="line"
                value={content.subject}
                onChange={(value) => set({ subject: value })}
                completion={completion}
                faults={subjectFaults}
                isReadOnly={!maySave}
                onSave={save}
              />
            </Labeled>
          ) : null}
          {isMail ? (
            <>
              <Labeled
                text="Preheader: what inboxes show after the subject"
                isFaulty={preheaderFaults.length > 0}
              >
                <CodeEditor
                  label="Preheader"
                  mode="line"
                  value={content.preheader}
                  onChange={(value) => set({ preheader: value })}
                  completion={completion}
                  faults={preheaderFaults}
                  isReadOnly={!maySave}
                  onSave={save}
                />
              </Labeled>
              <SelectField
                label="Layout"
                value={content.layout}
                onChange={(event) => set({ layout: event.target.value })}
                error={layoutFault?.detail}
                disabled={!maySave}
              >
                <option value="">None: the body is the whole document</option>
                {layouts.map((one) => (
                  <option key={one.id} value={one.name}>
                    {one.name}
                    {one.tenant_id === null ? " (of the platform)" : ""}
                  </option>
                ))}
              </SelectField>
            </>
          ) : null}
          <Labeled text="Body" isFaulty={bodyFaults.length > 0} />
          <div className={styles.body}>
            <CodeEditor
              label="Body"
              mode={isMail ? "markup" : "text"}
              value={content.body}
              onChange={(body) => set({ body })}
              completion={completion}
              faults={bodyFaults}
              isReadOnly={!maySave}
              onSave={save}
              describedBy={keysId}
            />
          </div>
          <KeysHelp id={keysId} />
          <details className={styles.more}>
            <summary>Further settings</summary>
            {isMail ? (
              <CheckField
                label="Recipients can unsubscribe from this mail"
                help="Mail clients show a button for it, and whoever uses it gets no more of this mail."
                checked={content.subscribed}
                disabled={!maySave}
                onChange={(event) => set({ subscribed: event.target.checked })}
              />
            ) : null}
            {place.channel === "PUSH" ? (
              <TextField
                label="Realtime namespace"
                isOptional
                help="The part of the realtime channel before #; empty: global_system"
                value={content.push_namespace}
                disabled={!maySave}
                onChange={(event) => set({ push_namespace: event.target.value })}
              />
            ) : null}
            {place.channel === "SMS" ? <p>Text messages have no further settings.</p> : null}
          </details>
        </Card>
        <Card title="Preview">
          <FaultList
            state={preview}
            labels={{ body: "Body", ...(subject && { subject }), ...(isMail && { preheader: "Preheader" }) }}
          />
          <SamplePicker
            sample={sample}
            tenantId={place.tenant_id}
            eventType={place.event_type}
            missing={preview.good?.report?.missing.map((one) => one.name) ?? []}
            maySave={maySave}
            onSave={save}
          />
          <PreviewPane
            channel={place.channel}
            preview={preview.good}
            isBusy={preview.isBusy}
            isOld={preview.faults.length > 0}
          />
          {others.length > 1 ? (
            <CheckField
              label={`Try all ${others.length} samples`}
              help="Finds branches that none of them shows, and samples that fail."
              checked={triesAll}
              onChange={(event) => setTriesAll(event.target.checked)}
            />
          ) : null}
          {triesAll && preview.good ? <AllSamples preview={preview.good} sample={sample} /> : null}
          <ReportPane preview={preview.good} channel={place.channel} />
        </Card>
      </div>
      <ConflictDialog
        conflict={saving.conflict}
        mine={content}
        isBusy={saving.isBusy}
        onClose={saving.dismiss}
        onKeepMine={() => void saving.save({ activate: saving.wasActivating, force: true })}
        onTakeTheirs={(theirs) => {
          setContent(contentOf(theirs));
          goOnWith(theirs);
          saving.dismiss();
          props.onSaved(theirs);
        }}
      />
      <TestDialog
        isOpen={isTesting}
        onClose={() => setTesting(false)}
        place={place}
        newest={newest}
        isChanged={isChanged}
        sample={sample}
        save={() => saving.save({ activate: false })}
      />
    </div>
  );
}

function AllSamples({
  preview,
  sample,
}: {
  preview: NonNullable<ReturnType<typeof usePreview>["good"]>;
  sample: ReturnType<typeof useSample>;
}) {
  return (
    <ul className={styles.samples} aria-label="All samples">
      {preview.samples.map((one, index) => {
        const id = sample.samples[index]?.id;
        const missing = one.report?.missing.length ?? 0;
        const state = one.failure
          ? `fails: ${one.failure.detail}`
          : missing > 0
            ? `${missing} missing ${missing === 1 ? "variable" : "variables"}`
            : "complete";
        return (
          <li key={one.name}>
            <strong>{one.name}</strong> {state}{" "}
            {id === undefined ? null : (
              <Button size="small" onClick={() => sample.choose({ kind: "named", id })}>
                Show
              </Button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Labeled({ text, isFaulty, children }: { text: string; isFaulty: boolean; children?: ReactNode }) {
  return (
    <div className={styles.labeled}>
      <div className={styles.label} aria-hidden>
        {text}
        {isFaulty ? <span className={styles.bad}> has an error</span> : null}
      </div>
      {children}
    </div>
  );
}

/** Return the faults of a field; the same array while they stay the same, so that an editor marks them once. */
function useFaultsIn(faults: readonly Fault[], field: string): readonly Fault[] {
  const text = JSON.stringify(faults.filter((one) => one.field === field));
  return useMemo(() => JSON.parse(text), [text]);
}

function numbered(version: Template | null): { id: string; version: number } | null {
  return version && { id: version.id, version: version.version };
}

function now(): string {
  return new Date().toISOString();
}
