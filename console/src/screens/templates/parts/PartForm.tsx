import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { readDraft, useKeptDraft } from "~/kit/draft";
import { ErrorNote } from "~/kit/ErrorNote";
import { Card } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { type Part, type PartKind, partsQuery, vocabularyQuery } from "../data";
import { CodeEditor } from "../editor/CodeEditor";
import { faultsOf } from "../editor/faults";
import { KeysHelp } from "../editor/KeysHelp";
import { PreviewPane } from "../editor/PreviewPane";
import { FaultList, ReportPane } from "../editor/ReportPane";
import styles from "../editor/TemplateForm.module.css";
import { usePreview } from "../editor/usePreview";
import { PartConflict } from "./PartConflict";
import { exampleAround } from "./starters";

interface PartFormProps {
  tenantId: string | null;
  kind: PartKind;
  name: string;
  start: string;
  /** The newest version; null: there is none. */
  newest: Part | null;
  maySave: boolean;
  onSaved: (made: Part) => void;
}

interface PartDraft {
  content: string;
  basedOn: string | null;
}

const NO_VARIABLES = {};
const NO_SAMPLES: readonly never[] = [];

/** The editor of a layout or partial, with an example of a mail that uses it. */
export function PartForm(props: PartFormProps) {
  const { tenantId, kind, name, maySave } = props;
  const key = `clarion-draft:${JSON.stringify([tenantId, kind, name])}`;
  const [restored] = useState(() => readDraft<PartDraft>(key, props.start));
  const [start, setStart] = useState(props.start);
  const [newest, setNewest] = useState(props.newest);
  const [basedOn, setBasedOn] = useState(() => (restored ? restored.basedOn : (newest?.id ?? null)));
  const [body, setBody] = useState(() => restored?.content ?? start);
  const [error, setError] = useState<Error | null>(null);
  const [conflict, setConflict] = useState<{ id: string; version: number } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const keysId = useId();
  const isChanged = body !== start;
  const { drop } = useKeptDraft(key, isChanged ? { content: body, basedOn } : null);
  const queries = useQueryClient();
  const vocabulary = useQuery(vocabularyQuery).data;
  const parts = useQuery(partsQuery(tenantId)).data ?? [];
  const preview = usePreview({
    ...{ tenant_id: tenantId, channel: "EMAIL", locale: null, subject: "", preheader: "" },
    body: exampleAround(kind, name, body),
    layout: "",
    ...(kind === "LAYOUT" ? { layout_body: body } : { partials: { [name]: body } }),
    variables: NO_VARIABLES,
    samples: NO_SAMPLES,
  });
  // The server names the part as a template calls it; here it is all there is.
  const field = kind === "LAYOUT" ? "layout" : `partials.${name}`;
  const own = preview.faults.filter((one) => one.field === field);
  const saveFaults = error instanceof Problem ? faultsOf(error).filter((one) => one.field === "body") : [];
  const save = async (force = false) => {
    if (isBusy || !maySave || (!isChanged && newest !== null)) {
      return;
    }
    setBusy(true);
    setError(null);
    try {
      const made = await answer(
        api.POST("/api/v1/admin/template-parts", {
          body: { tenant_id: tenantId ?? "", kind, name, body, based_on: basedOn ?? "", force },
        }),
      );
      if (newest === null) {
        drop();
      }
      setConflict(null);
      setStart(made.body);
      setNewest(made);
      setBasedOn(made.id);
      void queries.invalidateQueries({ queryKey: ["template-parts"] });
      notify(`Saved as version ${made.version}. Templates that are active use it when you apply it.`);
      props.onSaved(made);
    } catch (problem) {
      if (problem instanceof Problem && problem.newer !== undefined) {
        setConflict(problem.newer);
      } else {
        setError(problem instanceof Error ? problem : new Error(String(problem)));
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className={styles.form}>
      <div className={styles.toolbar} role="toolbar" aria-label="Layout or partial">
        <Button
          look="primary"
          isBusy={isBusy}
          disabled={!maySave || (!isChanged && newest !== null)}
          onClick={() => void save()}
        >
          Save version
        </Button>
        {isChanged && newest !== null ? (
          <Button onClick={() => setBody(start)}>Discard changes</Button>
        ) : null}
        <span className={styles.state} aria-live="polite">
          {isChanged ? "Unsaved changes, kept in this browser" : "Nothing to save"}
        </span>
      </div>
      {error ? <ErrorNote error={error} /> : null}
      <div className={styles.panes}>
        <Card title="Code">
          <div className={styles.body}>
            <CodeEditor
              label="Body"
              mode="markup"
              value={body}
              onChange={setBody}
              completion={{
                variables: kind === "LAYOUT" ? { content: "the body of the mail" } : NO_VARIABLES,
                partials: parts.filter((one) => one.kind === "PARTIAL").map((one) => one.name),
                vocabulary,
              }}
              faults={own.length > 0 ? own : saveFaults}
              isReadOnly={!maySave}
              onSave={() => void save()}
              describedBy={keysId}
            />
          </div>
          <KeysHelp id={keysId} />
        </Card>
        <Card title="Preview">
          <FaultList state={preview} labels={{ [field]: "Body" }} />
          <PreviewPane
            channel="EMAIL"
            preview={preview.good}
            isBusy={preview.isBusy}
            isOld={preview.faults.length > 0}
            isPart
          />
          <ReportPane preview={preview.good} channel="EMAIL" />
        </Card>
      </div>
      <PartConflict
        conflict={conflict}
        mine={body}
        isBusy={isBusy}
        onClose={() => setConflict(null)}
        onKeepMine={() => void save(true)}
        onTakeTheirs={(theirs) => {
          setBody(theirs.body);
          setStart(theirs.body);
          setNewest(theirs);
          setBasedOn(theirs.id);
          setConflict(null);
        }}
      />
    </div>
  );
}
