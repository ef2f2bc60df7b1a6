import { Plus, X } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Button, IconButton } from "~/kit/Button";
import { DurationField } from "~/kit/DurationField";
import { SelectField, TextField } from "~/kit/Field";
import {
  DATA,
  FIELD_WORDS,
  GROUP_WORDS,
  type Group,
  isGroup,
  LISTS,
  newTest,
  opsOf,
  opWords,
  type Part,
  read,
  startOf,
  TEXTS,
  type Test,
  TIMES,
  type ValueKind,
  written,
} from "./filter";
import styles from "./Segments.module.css";

// Deeper ones are allowed, and hard to read.
const MOST_LEVELS = 3;
const CHANNELS = "EMAIL, SMS, PUSH";

interface GroupFieldsProps {
  group: Group;
  onChange: (group: Group) => void;
  /** What is wrong with a part, by its path in the API's faults. */
  faultOf: (part: Part) => string | undefined;
  /** Tags that are in use, to choose from. */
  tags: readonly string[];
  level?: number;
  onRemove?: () => void;
}

/** Tests of which all, any or none have to match, and groups of them. */
export function GroupFields({ group, onChange, faultOf, tags, level = 1, onRemove }: GroupFieldsProps) {
  const { kind, parts } = group;
  const change = (index: number, part: Part) =>
    onChange({ kind, parts: parts.map((one, place) => (place === index ? part : one)) });
  const remove = (index: number) => onChange({ kind, parts: parts.toSpliced(index, 1) });
  const fault = faultOf(group);
  return (
    <fieldset
      className={styles.group}
      aria-label={level === 1 ? "Who is in it" : `People with ${GROUP_WORDS[kind]}`}
    >
      <div className={styles.buttons}>
        <SelectField
          label={level === 1 ? "People for whom" : "For whom"}
          value={kind}
          onChange={(event) => onChange({ kind: event.target.value as Group["kind"], parts })}
        >
          {Object.entries(GROUP_WORDS).map(([one, words]) => (
            <option key={one} value={one}>
              {words} hold{one === "any" ? "s" : ""}
            </option>
          ))}
        </SelectField>
        {onRemove ? (
          <IconButton label="Remove this group" onClick={onRemove}>
            <X aria-hidden />
          </IconButton>
        ) : null}
      </div>
      {parts.length === 0 ? (
        <p className={styles.soft}>{kind === "any" ? "Nobody, until there is a test." : "Everybody."}</p>
      ) : null}
      {parts.map((part, index) =>
        isGroup(part) ? (
          <GroupFields
            // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place
            key={index}
            group={part}
            onChange={(changed) => change(index, changed)}
            faultOf={faultOf}
            tags={tags}
            level={level + 1}
            onRemove={() => remove(index)}
          />
        ) : (
          <TestFields
            // biome-ignore lint/suspicious/noArrayIndexKey: a part is known by its place
            key={`${index}/${part.field.startsWith(DATA) ? DATA : part.field}/${part.op}`}
            number={index + 1}
            test={part}
            onChange={(changed) => change(index, changed)}
            onRemove={() => remove(index)}
            fault={faultOf(part)}
            tags={tags}
          />
        ),
      )}
      {fault ? <p className={styles.bad}>{fault}</p> : null}
      <div className={styles.buttons}>
        <Button size="small" onClick={() => onChange({ kind, parts: [...parts, newTest("tags")] })}>
          <Plus aria-hidden /> Add a test
        </Button>
        {level < MOST_LEVELS ? (
          <Button
            size="small"
            onClick={() => onChange({ kind, parts: [...parts, { kind: "any", parts: [newTest("tags")] }] })}
          >
            <Plus aria-hidden /> Add a group
          </Button>
        ) : null}
      </div>
    </fieldset>
  );
}

interface TestFieldsProps {
  number: number;
  test: Test;
  onChange: (test: Test) => void;
  onRemove: () => void;
  fault: string | undefined;
  tags: readonly string[];
}

function TestFields({ number, test, onChange, onRemove, fault, tags }: TestFieldsProps) {
  const isData = test.field.startsWith(DATA);
  const ops = opsOf(test.field);
  const setOp = (op: string) => {
    const kind = ops[op] ?? "text";
    // What was typed stays if it means the same.
    onChange({ ...test, op, value: kind === ops[test.op] ? test.value : startOf(kind) });
  };
  return (
    <div className={styles.test}>
      <div className={styles.field}>
        <SelectField
          label={`What ${number}`}
          value={isData ? DATA : test.field}
          onChange={(event) => onChange(newTest(event.target.value))}
        >
          {[...LISTS.slice(0, 1), ...TEXTS, ...LISTS.slice(1), ...TIMES].map((one) => (
            <option key={one} value={one}>
              {FIELD_WORDS[one]}
            </option>
          ))}
          <option value={DATA}>A field of your own …</option>
        </SelectField>
        {isData ? (
          <TextField
            label={`Name of the field ${number}`}
            placeholder="plan"
            value={test.field.slice(DATA.length)}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onChange({ ...test, field: `${DATA}${event.target.value}` })}
          />
        ) : null}
      </div>
      <SelectField
        label={`Comparison ${number}`}
        value={test.op}
        onChange={(event) => setOp(event.target.value)}
      >
        {Object.keys(ops).map((one) => (
          <option key={one} value={one}>
            {opWords(one)}
          </option>
        ))}
      </SelectField>
      <ValueField
        label={`With ${number}`}
        kind={ops[test.op] ?? "text"}
        test={test}
        onChange={(value) => onChange({ ...test, value })}
        fault={fault}
        options={test.field === "tags" ? tags : []}
      />
      <IconButton label={`Remove test ${number}`} onClick={onRemove}>
        <X aria-hidden />
      </IconButton>
    </div>
  );
}

interface ValueFieldProps {
  label: string;
  kind: ValueKind;
  test: Test;
  onChange: (value: unknown) => void;
  fault: string | undefined;
  options: readonly string[];
}

function ValueField({ label, kind, test, onChange, fault, options }: ValueFieldProps): ReactNode {
  switch (kind) {
    case "flag":
      return (
        <SelectField
          label={label}
          value={test.value === false ? "false" : "true"}
          onChange={(event) => onChange(event.target.value === "true")}
          error={fault}
        >
          <option value="true">yes</option>
          <option value="false">no</option>
        </SelectField>
      );
    case "seconds":
      return (
        <DurationField label={label} seconds={Number(test.value) || 0} onChange={onChange} error={fault} />
      );
    case "time":
      return (
        <TextField
          label={label}
          type="datetime-local"
          value={localOf(test.value)}
          onChange={(event) => {
            const at = new Date(event.target.value);
            onChange(Number.isNaN(at.getTime()) ? "" : at.toISOString());
          }}
          error={fault}
        />
      );
    default:
      return <TypedField {...{ label, kind, test, onChange, fault, options }} />;
  }
}

/** A value that is typed. What is typed stays as it is: "a, " is not yet two values. */
function TypedField({ label, kind, test, onChange, fault, options }: ValueFieldProps) {
  const [text, setText] = useState(() => written(test.value));
  const list = useId();
  const isList = kind === "texts" || kind === "anys";
  return (
    <>
      <TextField
        label={label}
        help={
          test.field === "muted_channels"
            ? `Of ${CHANNELS}, with commas between them.`
            : isList
              ? "With commas between them."
              : kind === "any"
                ? "Numbers, true and false are taken as such."
                : undefined
        }
        type={kind === "date" ? "date" : "text"}
        inputMode={kind === "number" ? "decimal" : "text"}
        value={text}
        autoComplete="off"
        spellCheck={false}
        {...(options.length > 0 && { list })}
        onChange={(event) => {
          setText(event.target.value);
          onChange(read(event.target.value, kind));
        }}
        error={fault}
      />
      {options.length > 0 ? (
        <datalist id={list}>
          {options.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      ) : null}
    </>
  );
}

/** Return a time as a field for a date and a time has it. */
function localOf(value: unknown): string {
  const at = new Date(typeof value === "string" ? value : "");
  if (Number.isNaN(at.getTime())) {
    return "";
  }
  const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
