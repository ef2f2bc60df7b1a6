import { useEffect, useRef, useState } from "react";
import { TextField } from "./Field";

const PAUSE_MS = 500;

interface FilterTextProps {
  label: string;
  value: string | undefined;
  /** Called when the person pauses, presses Enter, or leaves the field; undefined: any. */
  onFilter: (value: string | undefined) => void;
  /** Values to choose from. Others can be typed. */
  options?: readonly string[];
  placeholder?: string;
}

/** A filter of a list that is a text. The list is not read again for each letter. */
export function FilterText({ label, value = "", onFilter, options = [], placeholder }: FilterTextProps) {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  if (known !== value) {
    setKnown(value);
    setTyped(value);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  const filter = (text: string) => {
    clearTimeout(timer.current);
    const found = text.trim();
    if (found !== value) {
      onFilter(found || undefined);
    }
  };
  const list = `options-${label.replaceAll(/\W+/g, "-")}`;
  return (
    <>
      <TextField
        label={label}
        value={typed}
        placeholder={placeholder}
        autoComplete="off"
        spellCheck={false}
        {...(options.length > 0 && { list })}
        onChange={(event) => {
          const text = event.target.value;
          setTyped(text);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => filter(text), PAUSE_MS);
        }}
        onBlur={() => filter(typed)}
        onKeyDown={(event) => event.key === "Enter" && filter(typed)}
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
