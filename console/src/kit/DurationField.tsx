import { useState } from "react";
import styles from "./DurationField.module.css";
import { Field } from "./Field";

const UNITS = [
  [86_400, "days"],
  [3600, "hours"],
  [60, "minutes"],
  [1, "seconds"],
] as const;

interface DurationFieldProps {
  label: string;
  help?: string;
  seconds: number;
  onChange: (seconds: number) => void;
  error?: string | undefined;
  isOptional?: boolean;
}

/** A time span: a number and its unit. */
export function DurationField({ label, seconds, onChange, ...rest }: DurationFieldProps) {
  // The unit stays while the number changes: 24 hours do not become 1 day under the hand of who types.
  const [unit, setUnit] = useState<number>(
    () => UNITS.find(([size]) => seconds > 0 && seconds % size === 0)?.[0] ?? 3600,
  );
  const [typed, setTyped] = useState(() => numberOf(seconds, unit));
  const [known, setKnown] = useState(seconds);
  if (known !== seconds) {
    // It was changed elsewhere, as by Undo.
    setKnown(seconds);
    if (Math.round(Number(typed) * unit) !== seconds) {
      const fitting = seconds % unit === 0 ? unit : (UNITS.find(([size]) => seconds % size === 0)?.[0] ?? 1);
      setUnit(fitting);
      setTyped(numberOf(seconds, fitting));
    }
  }
  const tell = (text: string, size: number) => {
    const found = Math.round(Number(text) * size);
    onChange(Number.isFinite(found) ? Math.max(0, found) : 0);
  };
  return (
    <Field label={label} {...rest}>
      {(marks) => (
        <div className={styles.duration}>
          <input
            {...marks}
            type="number"
            min={0}
            value={typed}
            onChange={(event) => {
              setTyped(event.target.value);
              tell(event.target.value, unit);
            }}
          />
          <select
            className={marks.className}
            aria-label={`Unit of “${label}”`}
            value={unit}
            onChange={(event) => {
              const size = Number(event.target.value);
              setUnit(size);
              tell(typed, size);
            }}
          >
            {UNITS.map(([size, words]) => (
              <option key={size} value={size}>
                {words}
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}

function numberOf(seconds: number, unit: number): string {
  return seconds === 0 ? "" : String(seconds / unit);
}
