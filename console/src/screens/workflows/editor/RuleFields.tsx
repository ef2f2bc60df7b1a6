import { Plus, X } from "lucide-react";
import { useId, useState } from "react";
import { Button, IconButton } from "~/kit/Button";
import { SelectField, TextArea, TextField } from "~/kit/Field";
import { FieldGroup } from "~/kit/Form";
import { type Rule, type WorkflowDocument, walk } from "../document";
import {
  type Comparison,
  type Comparisons,
  OPERATOR_WORDS,
  OPERATORS,
  type Operator,
  takesValue,
  toComparisons,
  toRule,
} from "../rules";
import { useEditor } from "./context";
import styles from "./StepList.module.css";

const PATHS = [
  "contact.id",
  "contact.email",
  "contact.phone",
  "contact.name",
  "contact.locale",
  "contact.timezone",
  "contact.tags",
  "contact.data.",
  "event.name",
  "event.data.",
  "event.source.type",
  "variables.",
];
const NEW_ROW: Comparison = { path: "event.data.", operator: "is", value: "" };

interface RuleFieldsProps {
  legend: string;
  stepId: string;
  rule: Rule;
  error?: string | undefined;
  onChange: (rule: Rule) => void;
}

/** A rule as rows of comparisons, or as JSON where it says more than they can. */
export function RuleFields({ legend, stepId, rule, error, onChange }: RuleFieldsProps) {
  const found = toComparisons(rule);
  const [isJson, setJson] = useState(found === null);
  return (
    <FieldGroup legend={legend}>
      {isJson || found === null ? (
        <JsonFields rule={rule} error={error} onChange={onChange} />
      ) : (
        <>
          <Rows found={found} stepId={stepId} onChange={(changed) => onChange(toRule(changed))} />
          {error ? <p className={styles.bad}>{error}</p> : null}
        </>
      )}
      <div>
        <Button
          size="small"
          look="quiet"
          disabled={isJson && found === null}
          onClick={() => setJson(!isJson)}
        >
          {isJson ? "Edit as rows" : "Edit as JSON-Logic"}
        </Button>
        {isJson && found === null ? (
          <span className={styles.soft}> This rule says more than rows can show.</span>
        ) : null}
      </div>
    </FieldGroup>
  );
}

function Rows({
  found,
  stepId,
  onChange,
}: {
  found: Comparisons;
  stepId: string;
  onChange: (changed: Comparisons) => void;
}) {
  const { joined, rows } = found;
  const nth = (index: number) => (rows.length > 1 ? ` ${index + 1}` : "");
  const change = (index: number, change: Partial<Comparison>) =>
    onChange({ joined, rows: rows.map((one, place) => (place === index ? { ...one, ...change } : one)) });
  return (
    <>
      {rows.length > 1 ? (
        <SelectField
          label="Of these"
          value={joined}
          onChange={(event) => onChange({ joined: event.target.value as "and" | "or", rows })}
        >
          <option value="and">all hold</option>
          <option value="or">at least one holds</option>
        </SelectField>
      ) : null}
      {rows.map((row, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: a row is known by its place
          key={index}
          className={styles.comparison}
        >
          <PathField
            label={`Value${nth(index)}`}
            value={row.path}
            stepId={stepId}
            onChange={(path) => change(index, { path })}
          />
          <SelectField
            label={`Comparison${nth(index)}`}
            value={row.operator}
            onChange={(event) => change(index, { operator: event.target.value as Operator })}
          >
            {OPERATORS.map((one) => (
              <option key={one} value={one}>
                {OPERATOR_WORDS[one]}
              </option>
            ))}
          </SelectField>
          {takesValue(row.operator) ? (
            <TextField
              label={`With${nth(index)}`}
              value={row.value}
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => change(index, { value: event.target.value })}
            />
          ) : (
            <span />
          )}
          <IconButton
            label={`Remove comparison${nth(index)}`}
            disabled={rows.length === 1}
            onClick={() => onChange({ joined, rows: rows.toSpliced(index, 1) })}
          >
            <X aria-hidden />
          </IconButton>
        </div>
      ))}
      <p className={styles.soft}>
        Numbers, true and false are taken as such; a text that looks like one is put in quotes: "12". Several
        values have commas between them.
      </p>
      <div>
        <Button size="small" onClick={() => onChange({ joined, rows: [...rows, NEW_ROW] })}>
          <Plus aria-hidden /> Add a comparison
        </Button>
      </div>
    </>
  );
}

function JsonFields({
  rule,
  error,
  onChange,
}: {
  rule: Rule;
  error: string | undefined;
  onChange: (rule: Rule) => void;
}) {
  const [text, setText] = useState(() => JSON.stringify(rule, null, 2));
  const [fault, setFault] = useState("");
  const write = (typed: string) => {
    setText(typed);
    try {
      const found: unknown = JSON.parse(typed);
      if (typeof found !== "object" || found === null || Array.isArray(found)) {
        setFault("A rule is an object with one operator.");
        return;
      }
      setFault("");
      onChange(found as Rule);
    } catch (wrong) {
      setFault(`It is not JSON: ${wrong instanceof Error ? wrong.message : ""}`);
    }
  };
  return (
    <TextArea
      label="Rule"
      isMono
      rows={6}
      spellCheck={false}
      value={text}
      onChange={(event) => write(event.target.value)}
      error={fault || error}
      help={
        <>
          JSON-Logic over <code>contact</code>, <code>event</code>, <code>variables</code> and{" "}
          <code>steps</code>.
        </>
      }
    />
  );
}

interface PathFieldProps {
  label: string;
  help?: string;
  value: string;
  stepId: string;
  onChange: (path: string) => void;
  error?: string | undefined;
}

/** The name of a value of the person, the event, its variables, or an earlier step. */
export function PathField({ label, help, value, stepId, onChange, error }: PathFieldProps) {
  const { document } = useEditor();
  const list = useId();
  return (
    <>
      <TextField
        label={label}
        help={help}
        value={value}
        list={list}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
        error={error}
      />
      <datalist id={list}>
        {[...PATHS, ...statusesBefore(document, stepId)].map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </>
  );
}

/** Return the names of the statuses of steps that send and stand before a step. */
function statusesBefore(document: WorkflowDocument, stepId: string): string[] {
  const all = walk(document).map((one) => one.step);
  const before = all.slice(
    0,
    all.findIndex((one) => one.id === stepId),
  );
  return before
    .filter((one) => one.kind === "send" || one.kind === "webhook")
    .map((one) => `steps.${one.id}.status`);
}
