import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from "react";
import { classes } from "./classes";
import styles from "./Field.module.css";

export interface Labeled {
  label: string;
  /** What to enter, in one sentence. */
  help?: ReactNode;
  /** What is wrong with it, for example `problem.fields.get("name")`. */
  error?: string | undefined;
  /** Says "optional" beside the label. */
  isOptional?: boolean;
  /** The label is for screen readers only. */
  isLabelHidden?: boolean;
  isMono?: boolean;
}

interface Marks {
  id: string;
  className: string;
  "aria-invalid": boolean | undefined;
  "aria-describedby": string | undefined;
}

/** A label, a control, its help and its error, joined for screen readers. */
export function Field({
  label,
  help,
  error,
  isOptional,
  isLabelHidden,
  isMono,
  children,
}: Labeled & { children: (marks: Marks) => ReactNode }) {
  const id = useId();
  const described = classes(help ? `${id}-help` : null, error ? `${id}-error` : null);
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={isLabelHidden ? "unseen" : styles.label}>
        {label}
        {isOptional ? <span className={styles.optional}> (optional)</span> : null}
      </label>
      {children({
        id,
        className: classes(styles.control, isMono && styles.mono),
        "aria-invalid": error ? true : undefined,
        "aria-describedby": described || undefined,
      })}
      {help ? (
        <div id={`${id}-help`} className={styles.help}>
          {help}
        </div>
      ) : null}
      {error ? (
        <div id={`${id}-error`} className={styles.error}>
          {error}
        </div>
      ) : null}
    </div>
  );
}

function split<T extends Labeled>(props: T): [Labeled, Omit<T, keyof Labeled>] {
  const { label, help, error, isOptional, isLabelHidden, isMono, ...rest } = props;
  const labeled: Labeled = { label, help, error };
  return [Object.assign(labeled, { isOptional, isLabelHidden, isMono }), rest];
}

/** One line of text, a number, a time … (`type`). */
export function TextField(props: Labeled & InputHTMLAttributes<HTMLInputElement>) {
  const [labeled, rest] = split(props);
  return <Field {...labeled}>{(marks) => <input {...rest} {...marks} />}</Field>;
}

/** Several lines of text. */
export function TextArea(props: Labeled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const [labeled, rest] = split(props);
  return <Field {...labeled}>{(marks) => <textarea {...rest} {...marks} />}</Field>;
}

/** A choice of a few values: children are `<option>`s. */
export function SelectField(props: Labeled & SelectHTMLAttributes<HTMLSelectElement>) {
  const [labeled, rest] = split(props);
  return <Field {...labeled}>{(marks) => <select {...rest} {...marks} />}</Field>;
}

/** A box to tick, with its label behind it. */
export function CheckField({
  label,
  help,
  ...rest
}: { label: string; help?: ReactNode } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <div className={styles.check}>
      <input {...rest} id={id} type="checkbox" aria-describedby={help ? `${id}-help` : undefined} />
      <div>
        <label htmlFor={id}>{label}</label>
        {help ? (
          <div id={`${id}-help`} className={styles.help}>
            {help}
          </div>
        ) : null}
      </div>
    </div>
  );
}
