import { Problem } from "~/api/problem";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import type { Preview } from "../data";
import { goToLine } from "./CodeEditor";
import type { Fault } from "./faults";
import styles from "./ReportPane.module.css";
import type { PreviewState } from "./usePreview";

const CLIP_BYTES = 102 * 1024;
const NUMBER = new Intl.NumberFormat();
const FIELDS: Readonly<Record<string, string>> = {
  subject: "Subject",
  preheader: "Preheader",
  body: "Body",
  layout: "Layout",
};

interface FaultListProps {
  state: PreviewState;
  /** The labels of the editors, by field. */
  labels: Readonly<Record<string, string>>;
}

/** All errors of the draft, each with a button that goes to its line. */
export function FaultList({ state, labels }: FaultListProps) {
  if (state.error) {
    return <ErrorNote error={new Error(state.error)} />;
  }
  return (
    <div aria-live="polite">
      {state.faults.length > 0 ? (
        <section className={styles.faults} aria-label="Errors">
          <h3>
            {state.faults.length} {state.faults.length === 1 ? "error" : "errors"}
          </h3>
          <ul>
            {state.faults.map((fault) => (
              <li key={`${fault.field}:${fault.line}:${fault.column}:${fault.detail}`}>
                <Place fault={fault} label={labels[fault.field]} /> {fault.detail}
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  );
}

/** Why a version was not saved. Errors of the template are listed beside its preview already. */
export function NotSaved({ error, listed }: { error: Error; listed: readonly Fault[] }) {
  const fields = error instanceof Problem ? [...error.fields.keys()] : [];
  const known = new Set(listed.map((one) => one.field));
  const isListed = fields.length > 0 && fields.every((field) => known.has(field));
  return (
    <ErrorNote
      error={
        isListed
          ? new Error(
              "Nothing was saved, because the template has errors. They are listed above the preview, and marked at their lines.",
            )
          : error
      }
    />
  );
}

function Place({ fault, label }: { fault: Fault; label: string | undefined }) {
  const field = FIELDS[fault.field] ?? fault.field;
  const place = fault.line === null ? field : `${field}, line ${fault.line}`;
  if (label === undefined || fault.line === null) {
    return <strong>{place}:</strong>;
  }
  const line = fault.line;
  return (
    <Button size="small" onClick={() => goToLine(label, line)}>
      {place}
    </Button>
  );
}

/** What the server found out about the content: its size, variables, branches. */
export function ReportPane({ preview, channel }: { preview: Preview | null; channel: string }) {
  const report = preview?.report;
  if (preview === null || report === undefined) {
    return null;
  }
  return (
    <dl className={styles.report}>
      {channel === "EMAIL" ? <Size bytes={report.size_bytes} isClipped={report.clipped_by_gmail} /> : null}
      {report.not_sent ? (
        <>
          <dt>Would not be sent</dt>
          <dd>
            <Badge tone="bad">{report.not_sent.reason}</Badge> {report.not_sent.detail}
          </dd>
        </>
      ) : null}
      <dt>Missing variables</dt>
      <dd>
        {report.missing.length === 0 ? "None" : null}
        <ul hidden={report.missing.length === 0} className={styles.names}>
          {report.missing.map((one) => (
            <li key={`${one.field}:${one.name}`}>
              <code>{one.name}</code>{" "}
              <span className={styles.place}>
                {FIELDS[one.field] ?? one.field}
                {one.line === null ? "" : `, line ${one.line}`}
              </span>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Unused variables</dt>
      <dd>
        {report.unused.length === 0 ? "None" : null}
        <ul hidden={report.unused.length === 0} className={styles.names}>
          {report.unused.map((name) => (
            <li key={name}>
              <code>{name}</code>
            </li>
          ))}
        </ul>
      </dd>
      <dt>Parts of conditions that the sample does not show</dt>
      <dd>
        {preview.unreached.length === 0 ? "None: the sample shows both sides of each condition" : null}
        <ul hidden={preview.unreached.length === 0} className={styles.names}>
          {preview.unreached.map((one) => (
            <li key={`${one.field}:${one.line}:${one.column}:${one.branch}`}>
              <code>{`{{${one.block}}}`}</code>{" "}
              <span className={styles.place}>
                {one.branch === "else" ? "the part after else" : "its first part"},{" "}
                {(FIELDS[one.field] ?? one.field).toLowerCase()} line {one.line}
              </span>
            </li>
          ))}
        </ul>
      </dd>
    </dl>
  );
}

function Size({ bytes, isClipped }: { bytes: number; isClipped: boolean }) {
  return (
    <>
      <dt>Size</dt>
      <dd>
        <meter
          aria-label="Size of the HTML"
          min={0}
          max={CLIP_BYTES}
          high={CLIP_BYTES * 0.85}
          value={Math.min(bytes, CLIP_BYTES)}
        />{" "}
        {NUMBER.format(bytes)} of {NUMBER.format(CLIP_BYTES)} bytes
        {isClipped ? <Badge tone="bad">Gmail cuts it off</Badge> : null}
      </dd>
    </>
  );
}
